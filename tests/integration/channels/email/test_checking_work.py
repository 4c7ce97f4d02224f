"""The work that large emails cause is bounded, and does not hurt those that come with them."""

import shutil
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dovecote.submit import checking
from local.provider import Running
from tests.catalogs import write_catalog
from tests.functions import Functions, environment, run_functions
from tests.integration.test_checking_work import (
    KIB,
    KINDS,
    ZEROS,
    body,
    catalog,
    light,
    routes,
    submitting,
    text,
    timed,
)
from tests.sending import recipient

Connection = psycopg.Connection[Any]
__all__ = ["catalog", "submitting"]

LOOP = "{% for n in x %}{{ n }}{% endfor %}"
MIB_OF_CHECKS = checking.MOST_BYTES // KIB**2


def test_a_large_payload_that_data_does_not_change_is_checked_once(
    submitting: Functions, connection: Connection
) -> None:
    seconds, answer = timed(lambda: submitting.post(text(body("of.members"))))
    assert answer.status == 202, answer.body
    assert routes(connection) == 1000
    assert seconds < 4  # once for each of them it was 8 s, in the same place


def test_a_large_payload_that_must_be_checked_for_each_is_too_large(
    submitting: Functions, connection: Connection
) -> None:
    seconds, answer = timed(lambda: submitting.post(text(body("of.all"))))
    assert answer.status == 413
    assert f"more than {MIB_OF_CHECKS} MiB" in answer.body["detail"]
    assert "fewer recipients" in answer.body["detail"]
    assert seconds < 4
    assert routes(connection) == 0
    most = checking.MOST_BYTES // (2 * 31_000 + KIB)
    fewer = body("of.all")["recipients"][:most]
    assert submitting.post(text(body("of.all", recipients=fewer))).status == 202


def test_many_locales_of_one_text_are_checked_once(
    submitting: Functions, connection: Connection
) -> None:
    many = [recipient(n, locale=f"de-{n:04}") for n in range(1000)]
    seconds, answer = timed(lambda: submitting.post(text(body("of.all", recipients=many))))
    assert (answer.status, seconds < 4) == (202, True)
    assert routes(connection) == 1000


def test_a_template_that_reads_a_large_payload_for_each_is_too_large(
    database_url: str, provider: Running, tmp_path: Path, connection: Connection
) -> None:
    kinds = {"of.loop": {"required": ["x", "a"]}}
    catalog = write_catalog(tmp_path, kinds, body_html=LOOP + "{{ a }}")
    with run_functions(
        environment(database_url, provider.url, catalog, INLINE_ROUTES="0")
    ) as wired:
        seconds, answer = timed(lambda: wired.post(text(body("of.loop"))))
        assert (answer.status, seconds < 4) == (413, True)
        small = {"x": [0] * 200}
        assert wired.post(text(body("of.loop", payload=small))).status == 202
    assert routes(connection) == 1000


def test_one_heavy_notification_of_a_batch_does_not_hurt_the_others(
    submitting: Functions, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its checks take longer than a batch has: it is the last that is begun."""
    monkeypatch.setattr("dovecote.submit.submit.STORING_SECONDS", 1.0)
    monkeypatch.setattr(checking, "MOST_BYTES", 1024 * KIB**2)
    monkeypatch.setattr(checking, "MOST_SECONDS", 1.5)
    batch = [light("a"), body("of.all", "heavy"), *(light(key) for key in "bcdefg")]
    answer = submitting.post_batch(batch)
    statuses = [result["status"] for result in answer.body["results"]]
    assert statuses == [202, 413, *[202] * 6]
    assert routes(connection) == 7


def test_ten_of_the_heaviest_messages_are_stored_together(
    submitting: Functions, connection: Connection
) -> None:
    most = checking.MOST_BYTES // (2 * 31_000 + KIB)
    fewer = body("of.all")["recipients"][:most]
    bodies = [body("of.all", str(n), recipients=fewer) for n in range(10)]
    answer = submitting.submit_messages(*(text(one).decode() for one in bodies))
    assert answer == {"batchItemFailures": []}
    assert routes(connection) == 10 * most


def test_the_same_key_keeps_its_order_however_heavy_it_is(
    submitting: Functions, connection: Connection
) -> None:
    heavy = body("of.members", "same", recipients=body("of.members")["recipients"][:10])
    other = {**light("same"), "kind": "of.members", "payload": ZEROS}
    answer = submitting.post_batch([heavy, light("x"), other])
    statuses = [result["status"] for result in answer.body["results"]]
    assert statuses == [202, 202, 422]
    assert routes(connection) == 11


def test_the_largest_requests_are_stored(submitting: Functions, connection: Connection) -> None:
    room = 64 * KIB - len('{"x":[],"y":""}') - 2 * 31_000 + 1
    largest = {"x": [0] * 31_000, "y": "y" * room}
    assert len(text(largest)) == 64 * KIB
    everybody = [recipient(n) for n in range(1000)]
    own = [{**one, "data": {"x": [1]}} for one in everybody]
    for key, recipients in {"shared": everybody, "own": own}.items():
        one = body("of.members", key, payload=largest, recipients=recipients)
        answer = submitting.post(text(one))
        assert (answer.status, len(answer.body["routes"])) == (202, 1000)
        (failed,) = (
            submitting.submit_messages(text({**one, "idempotency_key": f"{key}-sqs"}).decode()),
        )
        assert failed == {"batchItemFailures": []}
    assert routes(connection) == 4000


def test_many_languages_of_a_large_payload_without_data_are_taken(
    database_url: str, provider: Running, tmp_path: Path, connection: Connection
) -> None:
    catalog = write_catalog(tmp_path, {"of.all": KINDS["of.all"]})
    folder = catalog / "templates" / "of-all"
    languages = [f"{first}{second}" for first in "abcdefg" for second in "abcdefgh"]
    for language in languages:
        shutil.copytree(folder, tmp_path / language)
    for language in languages:
        (tmp_path / language).rename(folder / language)
    many = [recipient(n, locale=language) for n, language in enumerate(languages)]
    with run_functions(
        environment(database_url, provider.url, catalog, INLINE_ROUTES="0")
    ) as wired:
        seconds, answer = timed(lambda: wired.post(text(body("of.all", recipients=many))))
    assert (answer.status, seconds < 4) == (202, True)
    assert routes(connection) == len(languages)
