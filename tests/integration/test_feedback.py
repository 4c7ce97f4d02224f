"""A provider's event settles its route, also while a worker has it, and in any order."""

import random
import threading
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import psycopg
import pytest

from dovecote.channels import NAMES
from dovecote.core.claim import Claim
from dovecote.core.feedback import DeliveryEvent, Feedback, Verdict
from dovecote.core.outcome import Ambiguous, Delivered, Failed, NotBegun, Outcome, Result
from dovecote.store.database import Database
from tests.builders import (
    CHANNEL,
    ScriptedChannel,
    a_dispatch,
    a_finaliser,
    accept,
    claim_all,
    claim_lapsed,
    forever,
    redrive_one,
    store_routes,
)
from tests.store import Store

Connection = psycopg.Connection[Any]
HOLDS = {name: 300.0 if name == CHANNEL else 0.0 for name in NAMES}
SENT, REJECTED = Verdict.ACCEPTED, Verdict.NOT_SENT
ERROR = "SES Reject: Bad content"


def an_event(claim: Claim, known: Verdict, message_id: str = "m-1") -> Feedback:
    """Return what is told of the send of a claim."""
    return Feedback(
        route_id=claim.route_id,
        claim=claim.claims,
        message_id=message_id,
        known=known,
        error=ERROR if known is REJECTED else "",
    )


def a_claim(store: Store, seconds: float = 60, **more: Any) -> Claim:
    store_routes(store, 1, **more)
    (claim,) = claim_all(store, seconds)
    return claim


def claim_again(store: Store, connection: Connection) -> Claim:
    connection.execute(
        "update dovecote.notification_routes set next_attempt_at = clock_timestamp()"
        " where next_attempt_at is not null"
    )
    (claim,) = claim_all(store)
    return claim


def settle(store: Store, claim: Claim, outcome: Outcome) -> None:
    a_finaliser(holds=HOLDS).settle(store, [Result(claim=claim, outcome=outcome)], until=0)


def row(connection: Connection, columns: str = "status, provider_message_id") -> Sequence[Any]:
    query = f"select {columns} from dovecote.notification_routes"  # noqa: S608
    (found,) = connection.execute(query.encode()).fetchall()
    return found


def letters(connection: Connection) -> list[Any]:
    return connection.execute(
        "select reason, error, closed_as from dovecote.notification_dead_letters"
        " order by dead_letter_id"
    ).fetchall()


def recorded(connection: Connection) -> list[Any]:
    return connection.execute(
        "select message_id, false from dovecote.accepted_emails"
        " union all select message_id, true from dovecote.email_rejections order by 2, 1"
    ).fetchall()


def on_record(store: Store, claim: Claim) -> str | None:
    return store.accepted([claim.route_id]).get(claim.route_id)


# Accepted.

LIVE: dict[str, Callable[[Store, Claim], None]] = {
    "under its claim": lambda _store, _claim: None,
    "given back": lambda store, claim: settle(store, claim, NotBegun()),
    "to be retried": lambda store, claim: settle(store, claim, Failed(error="e")),
    "in doubt": lambda store, claim: settle(store, claim, Ambiguous(error="lost")),
}


@pytest.mark.parametrize("meanwhile", LIVE.values(), ids=LIVE)
def test_an_acceptance_publishes_a_live_route(
    store: Store,
    connection: Connection,
    meanwhile: Callable[[Store, Claim], None],
) -> None:
    claim = a_claim(store)
    meanwhile(store, claim)
    assert store.record_feedback(an_event(claim, SENT))
    assert row(connection) == ("published", "m-1")
    assert row(connection, "claim_token, leased_until, next_attempt_at, doubt_until") == (None,) * 4
    assert row(connection, "last_error, published_at is not null") == (None, True)
    assert on_record(store, claim) == "m-1"


def test_an_acceptance_publishes_under_a_newer_claim_whose_worker_changes_nothing_after_it(
    store: Store, connection: Connection
) -> None:
    first = a_claim(store, seconds=0)
    second = claim_lapsed(store)
    assert second is not None
    assert store.record_feedback(an_event(first, SENT))
    before = row(connection, "*")
    settle(store, second, Failed(error="e"))
    settle(store, second, Delivered(message_id="m-2"))
    assert row(connection, "*") == before
    assert row(connection) == ("published", "m-1")
    assert on_record(store, first) == "m-1"


def test_an_acceptance_that_is_told_before_its_worker_finalises_is_the_same(
    store: Store, connection: Connection
) -> None:
    claim = a_claim(store)
    assert store.record_feedback(an_event(claim, SENT))
    settle(store, claim, Delivered(message_id="m-1"))
    assert row(connection) == ("published", "m-1")
    assert recorded(connection) == [("m-1", False)]


@pytest.mark.parametrize("reason", ["attempts", "ambiguous"])
def test_an_acceptance_settles_a_dead_letter(
    store: Store, connection: Connection, reason: str
) -> None:
    claim = a_claim(store, seconds=0 if reason == "ambiguous" else 60, max_attempts=1)
    if reason == "ambiguous":
        a_dispatch(store, ScriptedChannel())(forever)
    else:
        settle(store, claim, Failed(error="e"))
    assert [letter[0] for letter in letters(connection)] == [reason]
    assert store.record_feedback(an_event(claim, SENT))
    assert row(connection) == ("published", "m-1")
    assert row(connection, "doubt_until") == (None,)
    assert [letter[2] for letter in letters(connection)] == ["settled"]
    assert connection.execute(
        "select closed_at is not null from dovecote.notification_dead_letters"
    ).fetchone() == (True,)


def end(connection: Connection, assignment: str) -> None:
    """Let the route have ended."""
    let_go = "next_attempt_at = null, claim_token = null, leased_until = null"
    query = f"update dovecote.notification_routes set {let_go}, {assignment}"  # noqa: S608
    connection.execute(query.encode())


ENDS = {
    "published": "status = 'published', published_at = now(), provider_message_id = 'm-0'",
    "cancelled": "status = 'cancelled'",
    "skipped": "status = 'skipped'",
}


@pytest.mark.parametrize("assignment", ENDS.values(), ids=ENDS)
def test_an_acceptance_leaves_any_other_end_as_it_is_and_is_put_on_record(
    store: Store, connection: Connection, assignment: str
) -> None:
    claim = a_claim(store)
    end(connection, assignment)
    before = row(connection, "*")
    assert not store.record_feedback(an_event(claim, SENT))
    assert row(connection, "*") == before
    assert on_record(store, claim) == "m-1"


def test_what_is_told_twice_changes_nothing_the_second_time(
    store: Store, connection: Connection
) -> None:
    claim = a_claim(store)
    assert store.record_feedback(an_event(claim, SENT))
    before = row(connection, "*")
    assert not store.record_feedback(an_event(claim, SENT))
    assert row(connection, "*") == before


def test_the_first_of_two_acceptances_stays_on_record(store: Store, connection: Connection) -> None:
    claim = a_claim(store)
    assert store.record_feedback(an_event(claim, SENT, "m-1"))
    assert not store.record_feedback(an_event(claim, SENT, "m-2"))
    assert row(connection) == ("published", "m-1")
    assert recorded(connection) == [("m-1", False)]


@pytest.mark.parametrize("rejected", ["m-1", "m-2"])
@pytest.mark.parametrize("order_", [("m-1", "m-2"), ("m-2", "m-1")])
def test_of_two_messages_that_were_accepted_one_may_be_rejected_and_the_other_counts(
    store: Store, connection: Connection, order_: tuple[str, str], rejected: str
) -> None:
    """In whichever order their acceptances were told, the route is not sent a third time."""
    first = a_claim(store, seconds=0)
    second = claim_lapsed(store)
    assert second is not None
    sends = {"m-1": first, "m-2": second}
    for message_id in order_:
        settle(store, sends[message_id], Delivered(message_id=message_id))
    store.record_feedback(an_event(sends[rejected], REJECTED, rejected))
    (other,) = sends.keys() - {rejected}
    assert row(connection, "status") == ("published",)
    assert on_record(store, second) == other
    assert letters(connection) == []
    # and where both were rejected, none does
    store.record_feedback(an_event(sends[other], REJECTED, other))
    assert on_record(store, second) is None


def test_an_acceptance_that_is_told_beside_a_rejection_is_not_lost(
    store: Store, connection: Connection, database_url: str
) -> None:
    """A worker writes the second acceptance down while the event of the first one is taken."""
    first = a_claim(store, seconds=0)
    second = claim_lapsed(store)
    assert second is not None
    store.record_feedback(an_event(first, SENT, "m-1"))
    with psycopg.connect(database_url, autocommit=True) as own:
        beside = Store(Database(lambda: own), default_max_attempts=5)
        with beside.transaction() as transaction:
            transaction.record_acceptances({second.route_id: "m-2"})
            store.record_feedback(an_event(first, REJECTED, "m-1"))
    assert on_record(store, second) == "m-2"


def test_an_email_that_is_told_to_be_accepted_is_not_sent_again(
    store: Store, connection: Connection
) -> None:
    claim = a_claim(store)
    settle(store, claim, Ambiguous(error="lost"))
    store.record_feedback(an_event(claim, SENT))
    channel = ScriptedChannel()
    assert a_dispatch(store, channel)(forever)["claimed"] == 0
    assert channel.asked == []


# Not sent.


def test_a_rejection_of_the_newest_claim_ends_a_live_route(
    store: Store, connection: Connection
) -> None:
    claim = a_claim(store)
    assert store.record_feedback(an_event(claim, REJECTED))
    assert row(connection, "status, attempts, last_error, claim_token, next_attempt_at") == (
        "dead_lettered", 1, ERROR, None, None,
    )  # fmt: skip
    assert letters(connection) == [("permanent", ERROR, None)]
    assert on_record(store, claim) is None
    # its worker comes later
    settle(store, claim, Delivered(message_id="m-1"))
    assert row(connection)[0] == "dead_lettered"
    assert on_record(store, claim) is None


def test_a_rejection_of_the_newest_claim_ends_a_published_route(
    store: Store, connection: Connection
) -> None:
    claim = a_claim(store)
    settle(store, claim, Delivered(message_id="m-1"))
    assert store.record_feedback(an_event(claim, REJECTED))
    assert row(connection, "status, published_at, last_error") == ("dead_lettered", None, ERROR)
    assert letters(connection) == [("permanent", ERROR, None)]
    assert recorded(connection) == [("m-1", True)]


def test_a_rejection_of_an_older_claim_changes_nothing(
    store: Store, connection: Connection
) -> None:
    first = a_claim(store)
    settle(store, first, Failed(error="e"))
    second = claim_again(store, connection)
    before = row(connection, "*")
    assert not store.record_feedback(an_event(first, REJECTED))
    assert row(connection, "*") == before
    settle(store, second, Delivered(message_id="m-2"))
    assert row(connection) == ("published", "m-2")
    assert on_record(store, second) == "m-2"
    assert not store.record_feedback(an_event(first, REJECTED))
    assert row(connection) == ("published", "m-2")


def test_a_rejection_of_another_message_does_not_outweigh_an_acceptance(
    store: Store, connection: Connection
) -> None:
    """The first send was accepted after all, and told under the second, which was rejected."""
    first = a_claim(store, seconds=0)
    second = claim_lapsed(store)
    assert second is not None
    assert store.record_feedback(an_event(first, SENT, "m-1"))
    assert not store.record_feedback(an_event(second, REJECTED, "m-2"))
    assert row(connection) == ("published", "m-1")
    assert recorded(connection) == [("m-1", False), ("m-2", True)]


@pytest.mark.parametrize("status", ["dead_lettered", "skipped", "cancelled"])
def test_a_rejection_leaves_any_other_end_as_it_is(
    store: Store, connection: Connection, status: str
) -> None:
    claim = a_claim(store)
    end(connection, f"status = '{status}'")
    before = row(connection, "*")
    assert not store.record_feedback(an_event(claim, REJECTED))
    assert row(connection, "*") == before


def test_that_it_was_sent_comes_too_late_after_that_it_was_not(
    store: Store, connection: Connection
) -> None:
    claim = a_claim(store)
    assert store.record_feedback(an_event(claim, REJECTED))
    assert not store.record_feedback(an_event(claim, SENT))
    assert row(connection)[0] == "dead_lettered"
    assert recorded(connection) == [("m-1", True)]
    assert letters(connection) == [("permanent", ERROR, None)]


def test_an_acceptance_of_another_message_outweighs_a_rejection(
    store: Store, connection: Connection
) -> None:
    first = a_claim(store)
    settle(store, first, Failed(error="e"))
    second = claim_again(store, connection)
    assert not store.record_feedback(an_event(first, REJECTED, "m-1"))
    assert store.record_feedback(an_event(second, SENT, "m-2"))
    assert row(connection) == ("published", "m-2")
    assert recorded(connection) == [("m-2", False), ("m-1", True)]


def test_after_a_rejection_a_redriven_route_is_sent_again(
    store: Store, connection: Connection
) -> None:
    claim = a_claim(store)
    settle(store, claim, Delivered(message_id="m-1"))
    store.record_feedback(an_event(claim, REJECTED))
    assert isinstance(redrive_one(store, claim.route_id, None), uuid.UUID)
    channel = ScriptedChannel(answer=lambda _: Delivered(message_id="m-2"))
    assert a_dispatch(store, channel)(forever)["published"] == 1
    assert channel.asked == [claim.route_id]
    assert row(connection) == ("published", "m-2")
    assert recorded(connection) == [("m-2", False), ("m-1", True)]
    # what is told again of the first send changes nothing of the second
    assert not store.record_feedback(an_event(claim, REJECTED))
    assert not store.record_feedback(an_event(claim, SENT))
    assert row(connection) == ("published", "m-2")
    assert recorded(connection) == [("m-2", False), ("m-1", True)]


def test_a_rejection_that_is_told_twice_does_not_end_what_was_redriven_in_between(
    store: Store, connection: Connection
) -> None:
    claim = a_claim(store)
    assert store.record_feedback(an_event(claim, REJECTED))
    redrive_one(store, claim.route_id, None)
    assert not store.record_feedback(an_event(claim, REJECTED))
    assert row(connection, "status, attempts") == ("pending", 0)
    assert letters(connection) == [("permanent", ERROR, "redriven")]


# What became of it.

AT = datetime(2026, 11, 24, 14, tzinfo=UTC)
COLUMNS = "delivered_at, bounced_at, bounce_type, complained_at, delayed_at"


def noted(claim: Claim, note: DeliveryEvent) -> Feedback:
    return Feedback(
        route_id=claim.route_id,
        claim=claim.claims,
        message_id="m-1",
        known=SENT,
        note=note,
    )


def a_note(event: str, minute: int = 0, **more: Any) -> DeliveryEvent:
    return DeliveryEvent(event=event, at=AT + timedelta(minutes=minute), **more)


def bounced(bounce_type: str, minute: int = 0) -> DeliveryEvent:
    return a_note("bounced", minute, reason=f"{bounce_type}/general", bounce_type=bounce_type)


def story(connection: Connection) -> list[Any]:
    return connection.execute(
        "select event, claim, at, reason, message_id from dovecote.notification_events"
        " where event <> 'settled' order by at, event"
    ).fetchall()


def record(connection: Connection) -> Any:
    query = f"select {COLUMNS} from dovecote.email_deliveries"  # noqa: S608
    return connection.execute(query.encode()).fetchone()


NOTES = {
    "delivered": (a_note("delivered"), (AT, None, None, None, None)),
    "delayed": (a_note("delayed", reason="mailboxfull"), (None, None, None, None, AT)),
    "bounced": (bounced("transient"), (None, AT, "transient", None, None)),
    "complained": (a_note("complained", reason="abuse"), (None, None, None, AT, None)),
}


@pytest.mark.parametrize("event", NOTES)
@pytest.mark.parametrize("finalised", [True, False])
def test_what_became_of_an_email_is_noted_once_also_where_its_worker_was_not_heard_of(
    store: Store, connection: Connection, event: str, finalised: bool
) -> None:
    claim = a_claim(store)
    if finalised:
        settle(store, claim, Delivered(message_id="m-1"))
    note, columns = NOTES[event]
    for _ in range(2):
        store.record_feedback(noted(claim, note))
    assert story(connection) == [(event, 1, AT, note.reason, "m-1")]
    assert record(connection) == columns
    assert row(connection) == ("published", "m-1")
    if not finalised:
        settle(store, claim, Delivered(message_id="m-1"))
        assert record(connection) == columns


def test_events_in_whatever_order_leave_the_same_record(
    store: Store, connection: Connection
) -> None:
    claim = a_claim(store)
    notes = [
        a_note("delayed", 1), a_note("delayed", 3),
        bounced("transient", 2), bounced("permanent", 4), bounced("transient", 5),
        a_note("complained", 6), a_note("complained", 7), a_note("delivered", 8),
    ]  # fmt: skip
    records = set()
    for seed in range(10):
        connection.execute(
            "update dovecote.email_deliveries set delivered_at = null, bounced_at = null,"
            " bounce_type = null, complained_at = null, delayed_at = null"
        )
        for note in random.Random(seed).sample(notes, len(notes)):
            store.record_feedback(noted(claim, note))
        records.add(record(connection))
    at = [AT + timedelta(minutes=minute) for minute in (8, 4, 6, 3)]
    assert records == {(at[0], at[1], "permanent", at[2], at[3])}
    assert len(story(connection)) == len(notes)


# Nobody's.


@pytest.mark.parametrize("known", Verdict)
def test_a_route_that_is_not_here_changes_nothing(
    store: Store, connection: Connection, known: Verdict
) -> None:
    claim = a_claim(store)
    before = row(connection, "*")
    event = Feedback(route_id=uuid.uuid4(), claim=1, message_id="m-1", known=known)
    assert not store.record_feedback(event)
    assert row(connection, "*") == before
    assert recorded(connection) == []
    assert on_record(store, claim) is None


# Many at once.


def report(claims: Sequence[Claim], own: Store) -> None:
    """Record an event of each claim, in this order."""
    for claim in claims:
        own.record_feedback(an_event(claim, SENT, "told"))


def test_workers_and_events_that_meet_settle_every_route_once(
    store: Store, connection: Connection, database_url: str
) -> None:
    store_routes(store, 120)
    claims = claim_all(store)
    barrier = threading.Barrier(3)
    failed: list[Exception] = []

    def beside(work: Callable[[Store], None]) -> threading.Thread:
        def run() -> None:
            with psycopg.connect(database_url, autocommit=True) as own:
                barrier.wait(30)
                try:
                    work(Store(Database(lambda: own), default_max_attempts=5))
                except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
                    failed.append(error)

        return threading.Thread(target=run)

    def finalise(own: Store) -> None:
        results = [Result(claim=claim, outcome=accept(claim)) for claim in claims]
        a_finaliser().settle(own, results, until=0)

    threads = [
        beside(finalise),
        beside(partial(report, claims)),
        beside(partial(report, claims[::-1])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert connection.execute(
        "select count(*) from dovecote.notification_routes r join dovecote.email_deliveries d"
        " using (route_id) where r.status = 'published'"
    ).fetchone() == (120,)
