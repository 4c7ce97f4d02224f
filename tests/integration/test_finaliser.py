"""One finaliser, inside its caller's transaction, the same for every channel."""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import psycopg
import pytest

from dovecote.channels import NAMES
from dovecote.core.claim import Claim
from dovecote.core.errors import StoreUnavailable
from dovecote.core.notification import Cancellation
from dovecote.core.outcome import (
    Ambiguous,
    Delivered,
    Failed,
    NotBegun,
    Outcome,
    Permanent,
    Result,
    Throttled,
    Unavailable,
    Unreachable,
)
from dovecote.store.database import Database
from tests.builders import (
    ADDRESS,
    CHANNEL,
    RecordingLog,
    a_finaliser,
    a_notification,
    a_route,
    a_submission,
    cancel,
    claim_all,
    claim_lapsed,
    store_routes,
    stored,
)
from tests.store import Store
from tests.unit.examples import TRACEPARENT

Connection = psycopg.Connection[Any]
each_channel = pytest.mark.parametrize("channel", NAMES)
HOLDS = dict.fromkeys(NAMES, 300.0)


def claim_one(store: Store, channel: str, **more: Any) -> Claim:
    store_routes(store, 1, channel, **more)
    (claim,) = claim_all(store)
    return claim


def settle(store: Store, claim: Claim, outcome: Outcome, log: RecordingLog) -> None:
    a_finaliser(log).settle(store, [Result(claim=claim, outcome=outcome)], until=0)


def settle_with_feedback(store: Store, claim: Claim, outcome: Outcome) -> None:
    a_finaliser(holds=HOLDS).settle(store, [Result(claim=claim, outcome=outcome)], until=0)


def row(connection: Connection, claim: Claim, columns: str) -> Sequence[Any]:
    query = f"select {columns} from dovecote.notification_routes where route_id = %s"  # noqa: S608
    found = connection.execute(query.encode(), (claim.route_id,)).fetchone()
    assert found is not None
    return found


def dead_letters(connection: Connection) -> list[Any]:
    return connection.execute(
        "select route_id, reason, error, attempts from dovecote.notification_dead_letters"
    ).fetchall()


@each_channel
def test_success_publishes_and_clears_the_next_attempt(
    store: Store, connection: Connection, channel: str
) -> None:
    claim = claim_one(store, channel)
    settle(store, claim, Delivered(message_id="m-1"), RecordingLog())
    status, due, token, lease, published, message, attempts = row(
        connection,
        claim,
        "status, next_attempt_at, claim_token, leased_until, published_at, provider_message_id,"
        " attempts",
    )
    assert (status, due, token, lease, message, attempts) == (
        "published", None, None, None, "m-1", 1,
    )  # fmt: skip
    assert published is not None


@each_channel
def test_failure_below_max_attempts_arms_the_next_attempt_by_the_database_clock(
    store: Store, connection: Connection, channel: str
) -> None:
    claim = claim_one(store, channel, max_attempts=3)
    settle(store, claim, Failed(error="no luck"), RecordingLog())
    status, seconds, error, token = row(
        connection,
        claim,
        "status, extract(epoch from next_attempt_at - clock_timestamp())::float, last_error,"
        " claim_token",
    )
    assert (status, error, token) == ("retrying", "no luck", None)
    assert 29 < seconds <= 30
    assert dead_letters(connection) == []


@each_channel
def test_failure_at_max_attempts_dead_letters_with_a_row(
    store: Store, connection: Connection, channel: str
) -> None:
    claim = claim_one(store, channel, max_attempts=1)
    settle(store, claim, Failed(error="no luck"), RecordingLog())
    assert row(connection, claim, "status, next_attempt_at, claim_token") == (
        "dead_lettered", None, None,
    )  # fmt: skip
    assert dead_letters(connection) == [(claim.route_id, "attempts", "no luck", 1)]


@each_channel
def test_a_permanent_refusal_dead_letters_at_the_first_attempt(
    store: Store, connection: Connection, channel: str
) -> None:
    claim = claim_one(store, channel, max_attempts=8)
    settle(store, claim, Permanent(error="MessageRejected"), RecordingLog())
    assert row(connection, claim, "status, attempts") == ("dead_lettered", 1)
    assert dead_letters(connection) == [(claim.route_id, "permanent", "MessageRejected", 1)]


@each_channel
@pytest.mark.parametrize(
    "outcome",
    [
        NotBegun(),
        # behind what has never paused
        NotBegun(behind=f"{CHANNEL}/example.com"),
        # behind what is well again
        NotBegun(behind=f"{CHANNEL}/example.org"),
    ],
    ids=str,
)
def test_what_was_not_begun_is_given_back_with_its_attempt_and_due_as_before(
    store: Store, connection: Connection, channel: str, outcome: Outcome
) -> None:
    connection.execute(
        "insert into dovecote.channel_state (resource, channel) values (%s, %s)",
        (f"{CHANNEL}/example.org", CHANNEL),
    )
    claim = claim_one(store, channel)
    settle(store, claim, outcome, RecordingLog())
    assert row(connection, claim, "status, attempts, claims, claim_token") == (
        "pending", 0, 1, None,
    )  # fmt: skip
    assert row(connection, claim, "next_attempt_at = created_at") == (True,)


@each_channel
@pytest.mark.parametrize("kind", [Throttled, Unavailable])
def test_what_is_throttled_or_unavailable_is_given_back_with_its_attempt(
    store: Store,
    connection: Connection,
    channel: str,
    kind: type[Throttled | Unavailable],
) -> None:
    claim = claim_one(store, channel, max_attempts=1)
    settle(store, claim, kind(resource=str(channel), error="stop"), RecordingLog())
    assert row(connection, claim, "status, attempts, claims, claim_token, last_error") == (
        "pending", 0, 1, None, None,
    )  # fmt: skip


def test_a_throttled_route_is_due_again_soon_and_waits_since_it_was_first_due(
    store: Store, connection: Connection
) -> None:
    claim = claim_one(store, CHANNEL)
    connection.execute(
        "update dovecote.notification_routes set next_attempt_at = next_attempt_at - interval '1 h'"
    )
    settle(store, claim, Throttled(resource=CHANNEL, error="fast"), RecordingLog())
    assert row(
        connection,
        claim,
        "waiting_for, waiting_since < clock_timestamp() - interval '59 minutes',"
        " next_attempt_at > clock_timestamp()",
    ) == (CHANNEL, True, True)
    assert store.gauges().oldest_due_seconds == pytest.approx(3600, abs=60)


DOUBT = (
    "status, attempts, last_error, claim_token,"
    " extract(epoch from next_attempt_at - clock_timestamp())::float,"
    " extract(epoch from doubt_until - clock_timestamp())::float"
)


@each_channel
@pytest.mark.parametrize("max_attempts", [3, 1])
def test_an_ambiguous_answer_is_in_doubt_for_the_hold_and_due_after_it(
    store: Store, connection: Connection, channel: str, max_attempts: int
) -> None:
    claim = claim_one(store, channel, max_attempts=max_attempts)
    settle_with_feedback(store, claim, Ambiguous(error="lost"))
    *known, due, hold = row(connection, claim, DOUBT)
    assert known == ["retrying", 1, "lost", None]
    assert 290 < due <= 300
    assert 290 < hold <= 300
    assert dead_letters(connection) == []


@each_channel
def test_without_feedback_an_ambiguous_answer_is_a_failure(
    store: Store, connection: Connection, channel: str
) -> None:
    claim = claim_one(store, channel)
    settle(store, claim, Ambiguous(error="lost"), RecordingLog())
    *known, due, hold = row(connection, claim, DOUBT)
    assert known == ["retrying", 1, "lost", None]
    assert 29 < due <= 30
    assert hold is None


@each_channel
def test_the_last_straw_of_an_outage_is_in_doubt_and_burns_no_attempt(
    store: Store, connection: Connection, channel: str
) -> None:
    claim = claim_one(store, channel, max_attempts=1)
    lost = Unavailable(resource=str(channel), error="lost", doubtful=True)
    settle_with_feedback(store, claim, lost)
    *known, due, hold = row(connection, claim, DOUBT)
    assert known == ["retrying", 0, "lost", None]
    assert 290 < due <= 300
    assert 290 < hold <= 300


def test_what_is_in_doubt_cannot_be_cancelled(store: Store) -> None:
    claim = claim_one(store, CHANNEL)
    settle_with_feedback(store, claim, Ambiguous(error="lost"))
    assert cancel(store, claim) == Cancellation(cancelled=0, in_flight=1, ended=0)


def test_a_hold_outlasts_the_time_of_its_route_which_then_ends_as_ambiguous(
    store: Store, connection: Connection
) -> None:
    claim = claim_one(store, CHANNEL, expires_in=10)
    settle_with_feedback(store, claim, Ambiguous(error="lost"))
    assert row(connection, claim, "next_attempt_at >= doubt_until - interval '1 s'") == (True,)
    assert claim_all(store) == []
    pass_the_hold(connection)
    connection.execute("update dovecote.notification_routes set expires_at = created_at")
    (again,) = claim_all(store)
    assert (again.counted, again.in_doubt) == (False, True)
    settle_with_feedback(store, again, NotBegun())
    assert dead_letters(connection) == [(claim.route_id, "ambiguous", "lost", 1)]
    assert row(connection, claim, "doubt_until is not null") == (True,)


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        # it failed for sure: what is doubted is the attempt before, whose hold is over
        (Failed(error="no luck"), "retrying"),
        (Permanent(error="no"), "dead_lettered"),
        # what was in doubt is known now
        (Delivered(message_id="m-2"), "published"),
        (Unreachable(reason="gone"), "skipped"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_outcome_that_is_certain_ends_the_doubt(
    store: Store, connection: Connection, outcome: Outcome, status: str
) -> None:
    claim = claim_one(store, CHANNEL)
    settle_with_feedback(store, claim, Ambiguous(error="lost"))
    pass_the_hold(connection)
    (again,) = claim_all(store)
    assert again.in_doubt
    settle_with_feedback(store, again, outcome)
    assert row(connection, claim, "status, doubt_until") == (status, None)


@pytest.mark.parametrize(
    "outcome", [NotBegun(), Throttled(resource=CHANNEL, error="fast")], ids=["not begun", "fast"]
)
def test_what_is_given_back_stays_in_doubt(
    store: Store, connection: Connection, outcome: Outcome
) -> None:
    claim = claim_one(store, CHANNEL)
    settle_with_feedback(store, claim, Ambiguous(error="lost"))
    pass_the_hold(connection)
    (again,) = claim_all(store)
    settle_with_feedback(store, again, outcome)
    assert row(connection, claim, "status, attempts, claims, doubt_until is not null") == (
        "retrying", 1, 2, True,
    )  # fmt: skip


def pass_the_hold(connection: Connection) -> None:
    connection.execute(
        "update dovecote.notification_routes set next_attempt_at = clock_timestamp(),"
        " doubt_until = doubt_until - interval '1 hour'"
    )


@each_channel
def test_a_route_with_nobody_to_deliver_to_is_skipped_and_its_attempt_not_counted(
    store: Store, connection: Connection, channel: str
) -> None:
    log = RecordingLog()
    claim = claim_one(store, channel, max_attempts=1)
    settle(store, claim, Unreachable(reason="device is dead"), log)
    assert row(connection, claim, "status, attempts, claims, next_attempt_at, claim_token") == (
        "skipped", 0, 1, None, None,
    )  # fmt: skip
    assert row(connection, claim, "last_error") == ("device is dead",)
    assert dead_letters(connection) == []
    ((level, message, fields),) = log.lines
    assert (level, message) == ("info", "notification routes skipped")
    (told,) = fields["routes"]
    assert (told["route_id"], told["error"]) == (str(claim.route_id), "device is dead")


@pytest.mark.parametrize("max_attempts", [0, -1])
def test_a_route_without_max_attempts_falls_back_to_the_default_of_five(
    store: Store, connection: Connection, max_attempts: int
) -> None:
    store_routes(store, 1, max_attempts=max_attempts)
    for attempt in range(1, 6):
        connection.execute("update dovecote.notification_routes set next_attempt_at = now()")
        (claim,) = claim_all(store)
        assert (claim.attempts, claim.max_attempts) == (attempt, 5)
        settle(store, claim, Failed(error="no luck"), RecordingLog())
        assert row(connection, claim, "status") == (
            "dead_lettered" if attempt == 5 else "retrying",
        )


def test_a_retry_is_due_at_the_latest_when_the_route_expires(
    store: Store, connection: Connection
) -> None:
    claim = claim_one(store, CHANNEL, expires_in=10)
    settle(store, claim, Failed(error="no luck"), RecordingLog())
    assert row(connection, claim, "next_attempt_at = expires_at") == (True,)


def test_the_finaliser_never_commits_by_itself(store: Store, connection: Connection) -> None:
    claim = claim_one(store, CHANNEL, max_attempts=1)
    results = [Result(claim=claim, outcome=Failed(error="no luck"))]
    with pytest.raises(ZeroDivisionError), store.transaction() as transaction:
        assert a_finaliser().finalise(transaction, results).tally.total() / 0
    assert row(connection, claim, "status, claim_token") == ("pending", claim.token)
    assert dead_letters(connection) == []


def test_a_late_worker_changes_no_route_but_records_the_acceptance(
    store: Store, connection: Connection
) -> None:
    store_routes(store, 1)
    (late,) = claim_all(store, seconds=0)
    second = claim_lapsed(store)
    assert second is not None
    log = RecordingLog()
    settle(store, late, Delivered(message_id="m-late"), log)
    assert row(connection, late, "status, claim_token") == ("pending", second.token)
    assert store.accepted([late.route_id]) == {late.route_id: "m-late"}
    settle(store, late, Failed(error="late"), log)
    settle(store, late, Permanent(error="late"), log)
    settle(store, late, NotBegun(), log)
    assert row(connection, late, "status, claim_token, attempts") == ("pending", second.token, 2)
    assert log.lines == []


def test_one_route_that_cannot_be_finalised_does_not_undo_its_batch(
    store: Store, connection: Connection
) -> None:
    store_routes(store, 5, max_attempts=1)
    claims = claim_all(store)
    bad = claims[2]
    connection.execute(
        "alter table dovecote.notification_dead_letters add constraint refused"
        f" check (route_id <> '{bad.route_id}')"
    )
    log = RecordingLog()
    outcomes = [Delivered(message_id="m"), *[Failed(error="no luck")] * 4]
    results = [Result(claim=c, outcome=o) for c, o in zip(claims, outcomes, strict=True)]
    a_finaliser(log).settle(store, results, until=0)
    counts = connection.execute(
        "select status, count(*) from dovecote.notification_routes group by 1 order by 1"
    ).fetchall()
    assert counts == [("dead_lettered", 3), ("pending", 1), ("published", 1)]
    assert ("error", "notification route not finalised") in [line[:2] for line in log.lines]


def test_an_acceptance_is_written_down_by_a_worker_that_outlives_an_outage(
    store: Store, connection: Connection, database_url: str
) -> None:
    store_routes(store, 1)
    refusals = iter([True, True])
    opened: list[Connection] = []

    def connect() -> Connection:
        if opened and next(refusals, False):
            raise psycopg.OperationalError("connection refused")
        opened.append(psycopg.connect(database_url, autocommit=True))
        return opened[-1]

    database = Database(connect)
    outlived = Store(database, default_max_attempts=5)
    (claim,) = claim_all(outlived)
    connection.execute("select pg_terminate_backend(%s)", (opened[0].info.backend_pid,))
    results = [Result(claim=claim, outcome=Delivered(message_id="m-1"))]
    with pytest.raises(StoreUnavailable):
        a_finaliser().settle(outlived, results, until=0)
    a_finaliser().settle(outlived, results, until=time.monotonic() + 30)
    database.close()
    assert row(connection, claim, "status, provider_message_id") == ("published", "m-1")


def traced_claim(store: Store, channel: str, max_attempts: int) -> Claim:
    submission = a_submission(traceparent=TRACEPARENT)
    return claim_one(store, channel, submission=submission, max_attempts=max_attempts)


@each_channel
def test_each_log_line_has_its_fields_and_nothing_of_the_recipient(
    store: Store, connection: Connection, channel: str
) -> None:
    log = RecordingLog()
    retried, ended = (traced_claim(store, channel, most) for most in (2, 1))
    settle(store, retried, Failed(error="no luck"), log)
    settle(store, ended, Failed(error="no luck"), log)
    (due,) = row(connection, retried, "next_attempt_at")
    assert isinstance(due, datetime)
    common = {
        "kind": "order.shipped", "channel": str(channel), "attempt": 1, "error": "no luck",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    }  # fmt: skip
    (level, message, fields), dead = log.lines
    assert (level, message) == ("info", "notification routes retry scheduled")
    (told,) = fields["routes"]
    assert datetime.fromisoformat(told.pop("next_attempt_at")) == due
    assert told == {**common, "route_id": str(retried.route_id)}
    assert dead == (
        "warning",
        "notification routes dead-lettered",
        {"routes": [{**common, "route_id": str(ended.route_id)}]},
    )
    assert ADDRESS not in repr(log.lines)


def test_a_batch_logs_its_failures_together_and_no_more_than_a_hundred_in_a_line(
    store: Store,
) -> None:
    log = RecordingLog()
    store_routes(store, 250, max_attempts=1)
    store_routes(store, 3, max_attempts=2)
    claims = claim_all(store)
    results = [Result(claim=claim, outcome=Failed(error="no luck")) for claim in claims]
    a_finaliser(log).settle(store, results, until=0)
    counts = [(level, len(fields["routes"])) for level, _, fields in log.lines]
    assert counts == [("info", 3), ("warning", 100), ("warning", 100), ("warning", 50)]
    told = [route["route_id"] for _, _, fields in log.lines for route in fields["routes"]]
    assert sorted(told) == sorted(str(claim.route_id) for claim in claims)


BROKEN_ROWS = {
    "a live route without a due time": "next_attempt_at = null",
    "a published route that is still due": "status = 'published', published_at = now()",
    "a published route without its time": "status = 'published', next_attempt_at = null",
    "a dead letter that is still due": "status = 'dead_lettered'",
    "a lease without a token": "leased_until = now()",
    "a token without a lease": "claim_token = gen_random_uuid()",
    "a token on an ended route": (
        "status = 'cancelled', next_attempt_at = null, claim_token = gen_random_uuid(),"
        " leased_until = now()"
    ),
    "a time of publishing on a live route": "published_at = now()",
    "attempts below zero": "attempts = -1",
    "more attempts than claims": "attempts = 1",
    "doubt of a published route": (
        "status = 'published', next_attempt_at = null, published_at = now(), doubt_until = now()"
    ),
    "doubt of a skipped route": ("status = 'skipped', next_attempt_at = null, doubt_until = now()"),
    "doubt of a cancelled route": (
        "status = 'cancelled', next_attempt_at = null, doubt_until = now()"
    ),
    "a status that is none": "status = 'sent'",
}


@each_channel
@pytest.mark.parametrize("assignment", BROKEN_ROWS.values(), ids=BROKEN_ROWS)
def test_the_check_constraint_refuses(
    store: Store, connection: Connection, channel: str, assignment: str
) -> None:
    stored(store, a_notification([a_route(channel)]))
    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(f"update dovecote.notification_routes set {assignment}".encode())  # noqa: S608
