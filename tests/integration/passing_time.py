"""Move past pauses and backoffs instead of waiting for them."""

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import psycopg

from dovecote.wiring import dispatch
from tests.functions import Context, Functions

Connection = psycopg.Connection[Any]

IDLE_RUNS = 3
"""After so many runs in a row that found nothing to do, nothing is left."""


@dataclass(frozen=True)
class Lasting(Context):
    """Lambda's context of a run that has so many seconds from now."""

    ends: float = 0.0

    def get_remaining_time_in_millis(self) -> int:
        return max(0, round((self.ends - time.monotonic()) * 1000))


def lasting(seconds: float) -> Lasting:
    return Lasting(ends=time.monotonic() + seconds)


def pass_seconds(connection: Connection, seconds: float) -> None:
    connection.execute(
        "update dovecote.notification_routes set next_attempt_at = next_attempt_at - g.by,"
        "  waiting_since = waiting_since - g.by, refused_at = refused_at - g.by,"
        "  expires_at = expires_at - g.by"
        " from (select make_interval(secs => %s) as by) g",
        (seconds,),
    )
    connection.execute(
        "update dovecote.channel_state set paused_until = paused_until - g.by,"
        "  trying_until = trying_until - g.by, proven_at = proven_at - g.by"
        " from (select make_interval(secs => %s) as by) g",
        (seconds,),
    )


def pass_time(connection: Connection) -> float:
    """Move time on to when the next pause ends or the next route is due; return the seconds."""
    row = connection.execute(
        "select extract(epoch from least("
        "  (select min(next_attempt_at) from dovecote.notification_routes"
        "   where next_attempt_at is not null),"
        "  (select min(greatest(paused_until, trying_until)) from dovecote.channel_state"
        "   where greatest(paused_until, trying_until) > clock_timestamp())"
        " ) - clock_timestamp())"
    ).fetchone()
    seconds = 0.0 if row is None or row[0] is None else max(0.0, float(row[0]))
    pass_seconds(connection, seconds)
    return seconds


def run(functions: Functions, seconds: float = 6.4) -> dict[str, int]:
    """Run dispatch with less time than it takes to wait for a pause of 2 s."""
    return functions.dispatch(context=lasting(seconds))


def run_until(functions: Functions, connection: Connection, seconds: float) -> float:
    """Run dispatch at once whenever something is due, for so many seconds of its time.

    A run that starts slowly on a busy machine has no time left to claim, so the next ones may.
    """
    passed, idle_runs = 0.0, 0
    while passed < seconds and idle_runs < IDLE_RUNS:
        claimed = run(functions)["claimed"]
        moved = pass_time(connection)
        passed += moved
        idle_runs = 0 if moved or claimed else idle_runs + 1
    return passed


RESOURCES = {"email": "email/example.com", "push": "push/topic"}
"""What each channel sends `channel_body` through, in addition to its account."""

QUICK = {
    "INLINE_ROUTES": "0", "BACKOFF_BASE_SECONDS": "0", "BACKOFF_JITTER": "0",
    "PAUSE_BASE_SECONDS": "2", "PAUSE_MAX_SECONDS": "300",
    "SEND_CONNECT_SECONDS": "1", "SEND_READ_SECONDS": "1.5", "LEASE_SECONDS": "10",
}  # fmt: skip
"""The template's real pauses, no backoff, and sends of a second at most."""

BACKLOG = 60
PAUSES = {"PAUSE_BASE_SECONDS": "2", "PAUSE_MAX_SECONDS": "300"}


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


def drain(connection: Connection) -> None:
    for _ in range(10):
        let_pauses_end(connection)
        dispatch.dispatch()(lambda: 30.0)
