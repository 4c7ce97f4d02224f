"""Conditions of an account, sender, configuration set or topic, as SES and SNS word them.

Each runs with a backlog of 60 routes, the real provider over HTTP, and the template's pauses (2 s,
at most 300 s); the test moves the end of each pause instead of waiting for it.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dovecote.wiring import dispatch
from local.provider import Fault, Order, Running
from tests.functions import Functions, environment, run_functions
from tests.integration.test_bulk import ROUTES, address, kinds, post, wired
from tests.integration.test_http import ADDRESS

Connection = psycopg.Connection[Any]
__all__ = ["kinds"]

BACKLOG = 60
PAUSES = {"PAUSE_BASE_SECONDS": "2", "PAUSE_MAX_SECONDS": "300"}
UNVERIFIED = (
    "Email address is not verified. The following identities failed the check in region US-EAST-1: "
)
PAUSED = (
    "Sending paused for this account. For more information, please check the inbox of the email "
    "address associated with your AWS account."
)


def let_pauses_end(connection: Connection) -> None:
    """Move the end of every pause to now, and the routes behind it with it."""
    connection.execute(
        "update dovecote.channel_state set paused_until = clock_timestamp(),"
        " trying_until = least(trying_until, clock_timestamp()) where paused_until is not null"
    )
    connection.execute(
        "update dovecote.notification_routes set next_attempt_at = clock_timestamp()"
        " where next_attempt_at > clock_timestamp()"
    )


def run_behind_pauses(connection: Connection, rounds: int) -> None:
    """Run dispatch as often as the schedule would between pauses."""
    for _ in range(rounds):
        dispatch.dispatch()(lambda: 16.0)
        let_pauses_end(connection)


def statuses(connection: Connection) -> Counter[Any]:
    """Count the routes by status and attempts."""
    return Counter(
        connection.execute("select status, attempts from dovecote.notification_routes").fetchall()
    )


def errors(connection: Connection) -> set[str]:
    """Return the errors that paused a resource."""
    rows = connection.execute("select error from dovecote.channel_state where error is not null")
    return {error for (error,) in rows}


def drain(connection: Connection) -> None:
    for _ in range(10):
        let_pauses_end(connection)
        dispatch.dispatch()(lambda: 30.0)


SENDERS = "Email address is not verified: the sender's"
CONDITIONS = [
    pytest.param(400, "MessageRejected", PAUSED, "Sending paused for this account", id="paused"),
    pytest.param(400, "MessageRejected", f"{UNVERIFIED}shop@shop.example", SENDERS, id="sender"),
    pytest.param(
        400, "MessageRejected", f"{UNVERIFIED}Shop <shop@shop.example>, SHOP.example", SENDERS,
        id="sender-with-name-and-domain",
    ),
    pytest.param(
        400, "MessageRejected", f"{UNVERIFIED}{address(0)}, shop@shop.example", SENDERS,
        id="sender-and-recipient",
    ),
    pytest.param(
        404, "NotFoundException", "Configuration set <dovecote> does not exist.",
        "The configuration set does not exist", id="configuration-set",
    ),
    pytest.param(
        400, "BadRequestException", "Configuration set <dovecote> does not exist.",
        "The configuration set does not exist", id="default-configuration-set",
    ),
    pytest.param(
        400, "MailFromDomainNotVerifiedException", "Mail-From domain is not verified", None,
        id="mail-from",
    ),
]  # fmt: skip


def ordered(code: str, status: int, words: str, scope: str) -> Sequence[Order]:
    """Return orders for each call, or for each entry of each call."""
    everyone: Sequence[str | None] = [address(number) for number in range(BACKLOG)]
    return [
        Order(do=Fault.ERROR, service="ses", status=status, code=code, message=words, address=one)
        for one in (everyone if scope == "entry" else [None])
    ]


@pytest.mark.parametrize(("bulk_size", "scope"), [("1", "call"), ("50", "call"), ("50", "entry")])
@pytest.mark.parametrize(("status", "code", "words", "text"), CONDITIONS)
def test_a_condition_burns_no_attempt_of_a_backlog_and_all_is_sent_when_it_ends(
    database_url: str,
    provider: Running,
    kinds: Path,
    connection: Connection,
    bulk_size: str,
    scope: str,
    status: int,
    code: str,
    words: str,
    text: str | None,
) -> None:
    with wired(database_url, provider, kinds, EMAIL_BULK_SIZE=bulk_size, **PAUSES) as functions:
        post(functions, BACKLOG)
        provider.provider.give(*ordered(code, status, words, scope))
        run_behind_pauses(connection, rounds=6)
        assert statuses(connection) == {("pending", 0): BACKLOG}
        assert len(errors(connection)) == 1
        assert text is None or errors(connection).pop().endswith(text)
        provider.provider.withdraw()
        drain(connection)
        assert statuses(connection) == {("published", 1): BACKLOG}
    sent = Counter(row.target for row in provider.provider.ledger.accepted)
    assert sent == dict.fromkeys([address(number) for number in range(BACKLOG)], 1)
    assert connection.execute("table dovecote.notification_dead_letters").fetchall() == []


@pytest.mark.parametrize("bulk_size", ["1", "50"])
def test_a_recipient_that_the_sandbox_refuses_is_a_dead_letter_and_delays_no_other(
    database_url: str, provider: Running, kinds: Path, connection: Connection, bulk_size: str
) -> None:
    refused = address(7)
    with wired(database_url, provider, kinds, EMAIL_BULK_SIZE=bulk_size, **PAUSES) as functions:
        post(functions, BACKLOG)
        provider.provider.give(
            Order(
                do=Fault.ERROR, service="ses", address=refused, status=400,
                code="MessageRejected", message=f"{UNVERIFIED}{refused}",
            )
        )  # fmt: skip
        assert functions.dispatch()["published"] == BACKLOG - 1
    routes = {row[0]: row[1:5] for row in connection.execute(ROUTES)}
    ended, attempts, _, error = routes.pop(refused)
    assert (ended, attempts) == ("dead_lettered", 1)
    assert error.endswith("Email address is not verified: the recipient's, in the SES sandbox")
    assert {row[0] for row in routes.values()} == {"published"}
    assert errors(connection) == set()


def test_a_sender_that_is_not_verified_stops_no_other_sender(
    database_url: str, provider: Running, kinds: Path, connection: Connection
) -> None:
    with wired(database_url, provider, kinds, **PAUSES) as functions:
        for kind in ("shop", "news"):
            post(functions, BACKLOG, kind)
        provider.provider.give(
            *ordered("MessageRejected", 400, f"{UNVERIFIED}shop.example", "entry")
        )
        run_behind_pauses(connection, rounds=4)
    assert statuses(connection) == {("pending", 0): BACKLOG, ("published", 1): BACKLOG}
    sent = {row.target for row in provider.provider.ledger.accepted}
    assert sent == {address(number, "news") for number in range(BACKLOG)}


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (404, "NotFound", "Topic does not exist"),
        (404, "NotFound", "it is gone"),
        (400, "InvalidParameter", "Invalid parameter: TopicArn Reason: no such topic"),
        (400, "KMSDisabled", "null (Service: AWSKMS; Status Code: 400)"),
        (403, "AuthorizationError", "User: x is not authorized to perform: SNS:Publish"),
    ],
)
def test_a_topic_that_is_gone_burns_no_attempt_of_a_backlog(
    database_url: str,
    provider: Running,
    catalog_folder: Path,
    connection: Connection,
    status: int,
    code: str,
    words: str,
) -> None:
    topic = provider.provider.registry.create_topic("gateway", {})
    values = environment(
        database_url, provider.url, catalog_folder, PUSH_TOPIC_ARN=topic.arn, INLINE_ROUTES="0",
        **PAUSES,
    )  # fmt: skip
    with run_functions(values) as functions:
        _post_pushes(functions)
        provider.provider.give(
            Order(do=Fault.ERROR, service="sns", status=status, code=code, message=words)
        )
        run_behind_pauses(connection, rounds=4)
        assert statuses(connection) == {("pending", 0): BACKLOG}
        provider.provider.withdraw()
        drain(connection)
    assert statuses(connection) == {("published", 1): BACKLOG}
    assert len(provider.provider.ledger.accepted) == BACKLOG


def _post_pushes(functions: Functions) -> None:
    body = {
        "kind": "order.arriving",
        "idempotency_key": "arriving",
        "payload": {"order_id": "1234", "carrier": "DHL", "minutes": 5},
        "recipients": [{"user_id": f"u-{number}"} for number in range(BACKLOG)],
    }
    answer = functions.post(body)
    assert answer.status == 202, answer.body


def test_the_words_of_a_provider_reach_neither_the_database_nor_the_log(
    database_url: str,
    provider: Running,
    kinds: Path,
    connection: Connection,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = f"no secret-4711 for {ADDRESS} in arn:aws:ses:eu-west-1:123456789012:identity/x"
    codes = ("MessageRejected", "BadRequestException", "AccessDenied", "InternalFailure", "Unheard")
    with wired(database_url, provider, kinds, **PAUSES) as functions:
        post(functions, 10)
        for place, code in enumerate(codes):
            status = 500 if code == "InternalFailure" else 400
            for words_ in (words, f"{UNVERIFIED}{words}"):
                provider.provider.give(
                    Order(
                        do=Fault.ERROR, service="ses", address=address(place), status=status,
                        code=code, message=words_, times=2,
                    )
                )  # fmt: skip
        run_behind_pauses(connection, rounds=6)
    dump = ""
    for table in ("notification_routes", "notification_events", "notification_dead_letters",
                  "channel_state"):  # fmt: skip
        rows = connection.execute(f"select t::text from dovecote.{table} t".encode())  # noqa: S608
        dump += "\n".join(text for (text,) in rows)
    assert "MESSAGE_REJECTED" in dump
    printed = capsys.readouterr().out
    assert "notification" in printed
    for confidential in ("4711", "arn:aws", "123456789012"):
        assert confidential not in dump + printed
