"""Email in bulk: routes of one sender go out together, and each has an outcome of its own."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dovecote.channels.base import Reply
from dovecote.channels.email.channel import EmailChannel
from dovecote.channels.email.message import Message
from dovecote.wiring import dispatch
from local.provider import Fault, Order, Running
from local.provider.ledger import Email
from tests.functions import Functions, environment, run_functions
from tests.sending import order
from tests.unit.examples import catalog_folder as a_catalog

Connection = psycopg.Connection[Any]
SHOP, NEWS = "Shop <shop@shop.example>", "News <news@news.example>"
SCHEMA = {"type": "object", "required": ["name"]}
FILES = {
    "subject.txt": "Hello {{ name }}",
    "body.html": '<p title="a&amp;b">Grüße, {{ name }} &lt;3 „x“</p>\n<style>a{b{c:d}}</style>',
    "body.txt": "Grüße, {{ name }} <3 & \"you\" 'too' \\ {% raw %}}}{% endraw %}\n",
}
ROUTES = """
    select address, status, attempts, provider_message_id, last_error,
           doubt_until is not null
      from dovecote.notification_routes order by address
"""


@pytest.fixture
def kinds(tmp_path: Path) -> Path:
    """A catalog of two senders: the shop's mail with one-click headers, and the news."""
    shop = {
        "channels": ["email"],
        "from": SHOP,
        "reply_to": "help@shop.example",
        "headers": {"X-Name": "{{ name }}"},
        "unsubscribe_url": "https://shop.example/u/{{ name }}",
        "template": "greeting-sent",
        "schema": SCHEMA,
    }
    folder = a_catalog(tmp_path, templates={f"greeting-sent/{n}": t for n, t in FILES.items()})
    news = {"channels": ["email"], "from": NEWS, "template": "greeting-sent", "schema": SCHEMA}
    document = {"kinds": {"shop.sent": shop, "news.sent": news}}
    (folder / "kinds.yaml").write_text(json.dumps(document), encoding="utf-8")
    return folder


def wired(
    database_url: str, provider: Running, kinds: Path, **more: str
) -> AbstractContextManager[Functions]:
    values = environment(
        database_url,
        provider.url,
        kinds,
        **({"BACKOFF_BASE_SECONDS": "0", "INLINE_ROUTES": "0"} | more),
    )
    return run_functions(values)


@pytest.fixture
def bulk(database_url: str, provider: Running, kinds: Path) -> Iterator[Functions]:
    with wired(database_url, provider, kinds) as functions:
        yield functions


def address(number: int, kind: str = "shop") -> str:
    return f"success+{kind}{number:03}@simulator.amazonses.com"


def post(functions: Functions, count: int, kind: str = "shop", name: str = "n") -> None:
    """Store so many emails, each with a name of its own."""
    recipients = [
        {"email": address(number, kind), "data": {"name": f"{name}{number}"}}
        for number in range(count)
    ]
    body = {
        "kind": f"{kind}.sent", "idempotency_key": f"{kind}-{name[:50]!a}", "payload": {},
        "recipients": recipients,
    }  # fmt: skip
    assert functions.post(body).status == 202


def calls(provider: Running) -> list[list[str]]:
    """Return the addresses of each bulk call, in order."""
    found: dict[str, list[str]] = {}
    for row in list(provider.provider.ledger.attempts):
        if row.call is not None:
            found.setdefault(row.call, []).append(row.target)
    return list(found.values())


def emails(provider: Running) -> dict[str, Email]:
    found = {row.target: row.content for row in provider.provider.ledger.accepted}
    return {target: email for target, email in found.items() if isinstance(email, Email)}


def accepted(provider: Running) -> Counter[str]:
    return Counter(row.target for row in provider.provider.ledger.accepted)


def test_the_due_emails_of_two_senders_go_out_in_calls_of_each(
    bulk: Functions, provider: Running, connection: Connection
) -> None:
    for kind in ("shop", "news"):
        post(bulk, 60, kind)
    assert bulk.dispatch()["published"] == 120
    everybody = {address(n, kind) for kind in ("shop", "news") for n in range(60)}
    assert accepted(provider) == dict.fromkeys(everybody, 1)
    for targets in calls(provider):
        assert 1 < len(targets) <= 50
        assert len({target[:12] for target in targets}) == 1
    assert len(calls(provider)) <= 6
    ids = {row.route_id: row.message_id for row in provider.provider.ledger.accepted}
    written = connection.execute(
        "select route_id::text, provider_message_id from dovecote.notification_routes"
    )
    assert dict(written.fetchall()) == ids
    kept = connection.execute("select route_id::text, message_id from dovecote.email_deliveries")
    assert dict(kept.fetchall()) == ids


def test_each_entry_arrives_as_it_was_rendered_with_its_own_headers_and_tags(
    bulk: Functions, provider: Running
) -> None:
    post(bulk, 3)
    post(bulk, 2, "news")
    bulk.dispatch()
    by_address = emails(provider)
    for number in range(3):
        email = by_address[address(number)]
        assert email.subject == f"Hello n{number}"
        assert email.html == FILES["body.html"].replace("{{ name }}", f"n{number}")
        assert email.text == f"Grüße, n{number} <3 & \"you\" 'too' \\ }}}}"
        assert email.headers == {
            "X-Name": f"n{number}",
            "List-Unsubscribe": f"<https://shop.example/u/n{number}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
        assert (email.source, email.reply_to) == (SHOP, ("help@shop.example",))
        assert {"claim": "1", "kind": "shop-sent"}.items() <= email.tags.items()
    assert by_address[address(0, "news")].headers == {}
    assert by_address[address(0, "news")].source == NEWS
    assert len({email.tags["route_id"] for email in by_address.values()}) == 5
    assert {row.operation for row in provider.provider.ledger.accepted} == {"SendBulkEmail"}


def test_a_bulk_email_is_the_same_as_a_single_one(
    database_url: str, provider: Running, kinds: Path
) -> None:
    found: list[dict[str, Email]] = []
    for size in ("1", "50"):
        more = {"EMAIL_BULK_SIZE": size, "EMAIL_CONFIGURATION_SET": "main"}
        with wired(database_url, provider, kinds, **more) as functions:
            post(functions, 4, "news", name="<b>„ü“ '&amp;' \\ \u2028 \U0001f54a\t\" ")
            post(functions, 4)
            functions.dispatch()
        found.append({to: replace(email, tags={}) for to, email in emails(provider).items()})
        provider.provider.forget()
        with psycopg.connect(database_url, autocommit=True) as own:
            own.execute("truncate dovecote.notifications cascade")
    assert len(found[0]) == 8
    assert found[0] == found[1]


def test_what_reads_like_a_variable_of_ses_arrives_as_it_is(
    bulk: Functions, provider: Running
) -> None:
    post(bulk, 2, "news", name="{{text}} {{{html}}} ")
    post(bulk, 2, "news", name="n")
    assert bulk.dispatch()["published"] == 4
    rows = [row.content for row in provider.provider.ledger.accepted]
    subjects = sorted(email.subject for email in rows if isinstance(email, Email))
    assert subjects == [
        "Hello n0", "Hello n1", "Hello {{text}} {{{html}}} 0", "Hello {{text}} {{{html}}} 1",
    ]  # fmt: skip
    assert provider.provider.ledger.received == {"SendBulkEmail": 2, "SendEmail": 2}


def test_one_email_and_a_size_of_one_are_single_sends(
    database_url: str, provider: Running, kinds: Path
) -> None:
    with wired(database_url, provider, kinds, INLINE_ROUTES="2") as functions:
        post(functions, 1)
    assert provider.provider.ledger.received == {"SendEmail": 1}
    with wired(database_url, provider, kinds, EMAIL_BULK_SIZE="1") as functions:
        post(functions, 7, name="m")
        assert functions.dispatch()["published"] == 7
    assert provider.provider.ledger.received == {"SendEmail": 8}


def test_what_is_too_large_together_goes_in_several_calls(
    bulk: Functions, provider: Running
) -> None:
    post(bulk, 50, "news", name="x" * 6_000)
    assert bulk.dispatch()["published"] == 50
    assert len(calls(provider)) > 1
    assert max(accepted(provider).values()) == 1


# Each entry's status is its own outcome.


def test_an_entry_that_fails_is_retried_alone_and_hurts_no_other(
    bulk: Functions, provider: Running, connection: Connection
) -> None:
    post(bulk, 10)
    order(provider, Fault.ERROR, address=address(3), times=1)
    order(provider, Fault.ERROR, address=address(4), status=400, code="BadRequestException")
    assert bulk.dispatch()["published"] == 9
    routes = {row[0]: row[1:] for row in connection.execute(ROUTES)}
    assert routes[address(3)][:2] == ("published", 2)
    status, attempts, message_id, error, _ = routes[address(4)]
    assert (status, attempts, message_id) == ("dead_lettered", 1, None)
    assert error == "INVALID_PARAMETER"
    assert set(accepted(provider).values()) == {1}
    assert provider.provider.ledger.received == {"SendBulkEmail": 10, "SendEmail": 1}


def test_entries_that_are_throttled_burn_no_attempt_and_slow_all_down(
    database_url: str, provider: Running, kinds: Path, connection: Connection
) -> None:
    with wired(database_url, provider, kinds, EMAIL_MAX_PER_SECOND="1000") as functions:
        post(functions, 10)
        provider.provider.send_rate = 6
        functions.dispatch()
        provider.provider.send_rate = None
        assert connection.execute(
            "select slowed_to < 1000, pauses from dovecote.channel_state where channel = 'email'"
        ).fetchone() == (True, 0)
        while connection.execute(
            "select 1 from dovecote.notification_routes where status = 'pending'"
        ).fetchone():
            functions.dispatch()
    assert {row[1:3] for row in connection.execute(ROUTES)} == {("published", 1)}
    assert set(accepted(provider).values()) == {1}


def test_what_needs_no_send_is_not_in_the_call(
    bulk: Functions, provider: Running, connection: Connection
) -> None:
    post(bulk, 5)
    change = "update dovecote.notification_routes set {} where address = %s"
    connection.execute(change.format("data = '{}'").encode(), (address(4),))
    connection.execute(change.format("address = ' '").encode(), (address(2),))
    assert bulk.dispatch()["published"] == 3
    assert {target for call in calls(provider) for target in call} == {
        address(0), address(1), address(3),
    }  # fmt: skip
    errors = {row[4] for row in connection.execute(ROUTES) if row[1] != "published"}
    assert "email route missing resolved recipient" in errors
    assert any("'name' is undefined" in error for error in errors)


# What becomes of a call becomes of its entries.


def test_a_call_that_is_refused_as_a_whole_is_sent_singly(
    bulk: Functions, provider: Running, connection: Connection
) -> None:
    post(bulk, 8)
    order(provider, Fault.ERROR, status=400, code="BadRequestException", times=1)
    order(provider, Fault.ERROR, address=address(5), status=400, code="BadRequestException")
    assert bulk.dispatch()["published"] == 7
    assert provider.provider.ledger.received == {"SendBulkEmail": 8, "SendEmail": 8}
    routes = {row[0]: row[1:3] for row in connection.execute(ROUTES)}
    assert routes.pop(address(5)) == ("dead_lettered", 1)
    assert set(routes.values()) == {("published", 1)}


def test_what_is_sent_singly_stops_at_the_first_answer_that_says_to(
    bulk: Functions, provider: Running, connection: Connection
) -> None:
    post(bulk, 6)
    provider.provider.give(
        Order(do=Fault.ERROR, status=400, code="BadRequestException", times=1),
        Order(do=Fault.ERROR, address=address(2), status=400, code="SendingPausedException"),
    )
    dispatch.dispatch()(lambda: 18.0)
    first = [row.outcome for row in provider.provider.ledger.attempts][6:9]
    assert first == ["accepted", "accepted", "SendingPausedException"]
    assert {row[2] for row in connection.execute(ROUTES) if row[1] == "pending"} <= {0}


def test_an_account_that_is_paused_costs_a_call_no_attempt(
    bulk: Functions, provider: Running, connection: Connection
) -> None:
    post(bulk, 50)
    order(provider, Fault.ERROR, status=400, code="SendingPausedException")
    dispatch.dispatch()(lambda: 16.0)
    assert {row[1:3] for row in connection.execute(ROUTES)} == {("pending", 0)}
    # one call, and then the trials: each with one route
    single = [row for row in provider.provider.ledger.attempts if row.call is None]
    assert len(calls(provider)) == 1
    assert len(single) <= 4


@pytest.mark.parametrize("fault", [Fault.CLOSE_AFTER_ACCEPTING, Fault.CLOSE_BEFORE_ACCEPTING])
def test_a_lost_reply_leaves_its_entries_in_doubt_and_nothing_else(
    database_url: str, provider: Running, kinds: Path, connection: Connection, fault: Fault
) -> None:
    feedback = {"EMAIL_FEEDBACK": "on", "EMAIL_CONFIGURATION_SET": "shop"}
    with wired(database_url, provider, kinds, **feedback) as functions:
        post(functions, 20)
        post(functions, 20, "news")
        order(provider, fault, address=address(7), times=1)
        assert functions.dispatch()["retrying"] == 20
    routes = list(connection.execute(ROUTES))
    assert {row[1:3] for row in routes if "news" in row[0]} == {("published", 1)}
    assert {(row[1], row[2], row[5]) for row in routes if "shop" in row[0]} == {
        ("retrying", 1, True)
    }
    # one lost answer is no outage
    assert connection.execute("select sum(pauses) from dovecote.channel_state").fetchone() == (0,)


def test_without_feedback_the_entries_of_a_lost_reply_are_retried_each_alone(
    bulk: Functions, provider: Running, connection: Connection
) -> None:
    post(bulk, 20)
    order(provider, Fault.CLOSE_BEFORE_ACCEPTING, times=1)
    tally = bulk.dispatch()
    assert (tally["retrying"], tally["published"]) == (20, 20)
    assert {row[1:3] for row in connection.execute(ROUTES)} == {("published", 2)}
    assert len(calls(provider)) == 1
    assert set(accepted(provider).values()) == {1}


def test_an_entry_that_the_answer_leaves_out_is_in_doubt(
    bulk: Functions, provider: Running, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(bulk, 5)
    client = dispatch.dispatch().services.channels["email"]._client
    whole = client.send_bulk_email

    def short(**request: Any) -> Any:
        answer = whole(**request)
        return {"BulkEmailEntryResults": answer["BulkEmailEntryResults"][:3]}

    monkeypatch.setattr(client, "send_bulk_email", short)
    monkeypatch.setattr(client, "send_email", lambda **_: pytest.fail("not yet"))
    connection.execute("update dovecote.notification_routes set max_attempts = 1")
    assert bulk.dispatch()["published"] == 3
    left = [row for row in connection.execute(ROUTES) if row[1] != "published"]
    assert [row[4] for row in left] == ["SES left it out of its answer"] * 2


# Pacing.


def test_calls_keep_to_the_rate_of_the_account(
    database_url: str, provider: Running, kinds: Path, connection: Connection
) -> None:
    provider.provider.send_rate = 14
    with wired(database_url, provider, kinds, EMAIL_MAX_PER_SECOND="14") as functions:
        post(functions, 30)
        post(functions, 30, "news")
        assert functions.dispatch()["published"] == 60
    assert {row.outcome for row in provider.provider.ledger.attempts} == {"accepted"}
    sizes = [len(call) for call in calls(provider)]
    assert 1 < max(sizes) <= 4
    times = sorted(row.time for row in provider.provider.ledger.accepted)
    assert 59 / (times[-1] - times[0]) < 16


@pytest.mark.parametrize(
    ("rate", "count", "least", "most"),
    [
        pytest.param("900000", 600, 16, 32, id="as many as the threads make"),
        pytest.param("200", 200, 5, 16, id="what the rate allows in the time of a call"),
        pytest.param("20", 25, 1, 4, id="few at a low rate"),
    ],
)
def test_the_calls_in_flight_follow_the_rate_and_the_seconds_of_a_call(
    database_url: str,
    provider: Running,
    kinds: Path,
    monkeypatch: pytest.MonkeyPatch,
    rate: str,
    count: int,
    least: int,
    most: int,
) -> None:
    in_flight, seen, send = Counter[str](), set[int](), EmailChannel.send

    def slow(own: EmailChannel, messages: Sequence[Message]) -> Iterable[Reply]:
        in_flight["now"] += 1
        seen.add(in_flight["now"])
        time.sleep(0.2)
        in_flight["now"] -= 1
        return send(own, messages)

    monkeypatch.setattr(EmailChannel, "send", slow)
    more = {"EMAIL_BULK_SIZE": "5", "DISPATCH_BATCH_SIZE": "10", "EMAIL_MAX_PER_SECOND": rate}
    with wired(database_url, provider, kinds, **more) as functions:
        post(functions, count)
        assert functions.dispatch()["published"] == count
    assert least <= max(seen) <= most
    assert set(accepted(provider).values()) == {1}
