"""A value that a schema, a template or a channel cannot cope with fails its own route alone."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dovecote.core.claim import Claim
from dovecote.core.errors import StoreUnavailable
from dovecote.core.outcome import Permanent
from dovecote.dispatch.sending.failures import attempt
from local.provider import Running
from tests.builders import CHANNEL
from tests.canary import CANARY
from tests.catalogs import texts_of, write_catalog
from tests.functions import Functions
from tests.integration.test_submit_in_sql import CALL, ran, refused
from tests.sending import recipient
from tests.unit.examples import a_claim

Connection = psycopg.Connection[Any]
KINDS: dict[str, dict[str, Any]] = {
    "of.cents": {"properties": {"n": {"multipleOf": 0.01}}},
    "of.halves": {"properties": {"n": {"multipleOf": 0.5}}},
    "of.some": {"anyOf": [{"properties": {"n": {"multipleOf": 0.01}}}, {"required": ["m"]}]},
    "of.items": {"properties": {"n": {"items": {"multipleOf": 0.01}}}},
    "of.any": {"required": ["n"]},
    "of.texts": {"required": ["n"]},
}
FILTERS = (
    "{% macro m() %}{{ m() }}{% endmacro %}"
    "{% if n.f == 'round' %}{{ n.v|round }}{% elif n.f == 'int' %}{{ n.v // 0 }}"
    "{% elif n.f == 'deep' %}{{ m() }}"
    "{% elif n.f == 'wide' %}{{ 'x' * 10 ** 15 }}{% elif n.f == 'sort' %}{{ n.v|sort }}"
    "{% elif n.f == 'surrogate' %}{{ '\\ud800' }}{% else %}{{ n }}{% endif %}"
)
HUGE = "1e400"
BAD: dict[str, tuple[str, str]] = {
    "too large a number": ("of.cents", HUGE),
    "too small a number": ("of.cents", f"-{HUGE}"),
    "400 digits": ("of.cents", "9" * 400),
    "too large a number of halves": ("of.halves", HUGE),
    "too large a number of some": ("of.some", HUGE),
    "too large a number in a list": ("of.items", f"[1, {HUGE}]"),
}
BAD_TEXTS: dict[str, str] = {
    "a filter": '{"f": "round", "v": "x"}',
    "a number of too many digits": f'{{"f": "print", "v": 0.{"1" * 1000}}}',
    "a division": '{"f": "int", "v": 1}',
    "an endless macro": '{"f": "deep"}',
    "a text without end": '{"f": "wide"}',
    "what cannot be sorted": '{"f": "sort", "v": [1, "a", null]}',
}


@pytest.fixture
def wired(database_url: str, provider: Running, tmp_path: Path) -> Iterator[Functions]:
    catalog = write_catalog(tmp_path, {k: KINDS[k] for k in KINDS if k != "of.texts"})
    texts = {"of.texts": KINDS["of.texts"]}
    (tmp_path / "second").mkdir()
    files = {**texts_of(CHANNEL, "Hello", FILTERS), "body_html": FILTERS}
    second = write_catalog(tmp_path / "second", texts, **files)
    for path in (second / "templates").iterdir():
        path.rename(catalog / "templates" / path.name)
    with (catalog / "kinds.yaml").open("a") as kinds:
        kinds.write((second / "kinds.yaml").read_text().removeprefix("kinds:\n"))
    with ran(database_url, catalog, provider.url, BACKOFF_BASE_SECONDS="0") as functions:
        yield functions


def raw(kind: str, number: str, key: str = "bad") -> bytes:
    document = {
        "kind": kind, "idempotency_key": key, "payload": "HERE", "recipients": [recipient()],
    }  # fmt: skip
    return json.dumps(document).replace('"HERE"', f'{{"n": {number}}}').encode()


def submit(connection: Connection, kind: str, number: str, key: str) -> None:
    recipients = json.dumps([recipient()])
    connection.execute(
        CALL,
        {
            "kind": kind, "idempotency_key": key, "payload": f'{{"n": {number}}}',
            "recipients": recipients, "deliver_at": None, "traceparent": None,
        },
    )  # fmt: skip


@pytest.mark.parametrize(("kind", "number"), BAD.values(), ids=BAD)
def test_a_value_that_a_schema_cannot_cope_with_is_a_422(
    wired: Functions, connection: Connection, kind: str, number: str
) -> None:
    answer = wired.post(raw(kind, number))
    assert answer.status == 422
    (error,) = answer.body["errors"]
    assert error["pointer"] in ("/payload", "/payload/n", "/payload/n/1")
    batch = b'{"notifications": [%b, %b]}' % (raw("of.cents", "1", "good"), raw(kind, number))
    assert [one["status"] for one in wired.post_batch(batch).body["results"]] == [202, 422]
    row = connection.execute("select count(*) from dovecote.notifications").fetchone()
    assert row == (1,)


@pytest.mark.parametrize("number", BAD_TEXTS.values(), ids=BAD_TEXTS)
def test_a_value_that_a_template_cannot_cope_with_is_a_422(wired: Functions, number: str) -> None:
    answer = wired.post(raw("of.texts", number))
    assert answer.status == 422
    assert answer.body["errors"][0]["pointer"] == "/payload"


@pytest.mark.parametrize(("kind", "number"), BAD.values(), ids=BAD)
def test_submitted_in_sql_it_is_refused_and_the_others_are_sent(
    wired: Functions, connection: Connection, provider: Running, kind: str, number: str
) -> None:
    assert_refused_alone(wired, connection, provider, kind, number)


def assert_refused_alone(
    wired: Functions, connection: Connection, provider: Running, kind: str, number: str
) -> None:
    """Submit a bad value in SQL among good ones: it alone is refused."""
    submit(connection, "of.any", "1", "before")
    submit(connection, kind, number, "bad")
    submit(connection, "of.cents", "0.01", "after")
    run = wired.expand()
    assert (run["expanded"], run["refused"], run["failed"]) == (2, 1, 0)
    (one,) = refused(wired)
    assert (one["idempotency_key"], one["problem"]["status"]) == ("bad", 422)
    assert wired.dispatch()["published"] == 2
    assert len(provider.provider.ledger.accepted) == 2


# Whatever a channel raises.


def test_a_store_that_fails_is_not_the_route_s_failure() -> None:
    def make(_claim: Claim) -> None:
        raise StoreUnavailable("gone")

    with pytest.raises(StoreUnavailable):
        attempt(make, a_claim())


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_end_of_the_process_is_not_swallowed(error: type[BaseException]) -> None:
    def make(_claim: Claim) -> None:
        raise error

    with pytest.raises(error):
        attempt(make, a_claim())


def test_an_exception_says_nothing_of_the_route() -> None:
    def make(_claim: Claim) -> None:
        raise ValueError(CANARY)

    outcome = attempt(make, a_claim())
    assert outcome == Permanent(error="cannot be sent: ValueError", asked=False)
