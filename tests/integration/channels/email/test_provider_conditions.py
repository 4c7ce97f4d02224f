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

from local.provider import Fault, Order, Running
from tests.builders import ADDRESS
from tests.integration.channels.email.test_bulk import ROUTES, address, kinds, post, wired
from tests.integration.passing_time import BACKLOG, PAUSES, drain, run_behind_pauses, statuses

Connection = psycopg.Connection[Any]
__all__ = ["kinds"]

UNVERIFIED = (
    "Email address is not verified. The following identities failed the check in region US-EAST-1: "
)
PAUSED = (
    "Sending paused for this account. For more information, please check the inbox of the email "
    "address associated with your AWS account."
)


def errors(connection: Connection) -> set[str]:
    """Return the errors that paused a resource."""
    rows = connection.execute("select error from dovecote.channel_state where error is not null")
    return {error for (error,) in rows}


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
    for confidential in ("secret-4711", "arn:aws", "123456789012"):
        assert confidential not in dump + printed
