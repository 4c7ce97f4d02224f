"""Results are written while their batch is delivered; what the store does not take is kept."""

from collections import Counter
from typing import Any

import psycopg
import pytest

from dovecote.core.claim import Claim
from dovecote.core.errors import StoreBusy, StoreUnavailable
from dovecote.core.outcome import Delivered, Failed, Outcome, Result
from dovecote.dispatch.finalise import PAUSE_SECONDS, EarlyWriter
from tests.builders import a_finaliser, claim_all, store_routes
from tests.store import Store

Connection = psycopg.Connection[Any]


class Flaky:
    """Makes a method of a store fail as often as it is told to, and counts the calls."""

    def __init__(self, patch: pytest.MonkeyPatch, store: Store, name: str) -> None:
        self.failures: list[Exception] = []
        self.calls = 0
        self._real = getattr(store, name)
        patch.setattr(store, name, self)

    def __call__(self, *arguments: Any) -> Any:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return self._real(*arguments)


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def a_writer(store: Store, clock: Time) -> EarlyWriter:
    return EarlyWriter(finaliser=a_finaliser(), store=store, clock=clock)


def delivered(claims: list[Claim]) -> list[Result]:
    return [
        Result(claim=claim, outcome=Delivered(message_id=f"m-{n}"))
        for n, claim in enumerate(claims)
    ]


def statuses(connection: Connection) -> dict[str, int]:
    rows = connection.execute(
        "select status, count(*) from dovecote.notification_routes group by status"
    )
    return dict(rows.fetchall())


@pytest.mark.parametrize("error", [StoreUnavailable("gone"), StoreBusy("locked")], ids=repr)
def test_results_that_the_store_refuses_are_retried_after_a_pause_and_counted_once(
    store: Store, connection: Connection, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    store_routes(store, 10)
    results, clock = delivered(claim_all(store)), Time()
    publish, writer = Flaky(monkeypatch, store, "publish"), a_writer(store, clock)
    publish.failures = [error]
    for result in results[:5]:
        writer([result])
    assert (publish.calls, statuses(connection)) == (1, {"pending": 10}), "it did not wait"
    clock.now += PAUSE_SECONDS
    writer([])
    assert (publish.calls, statuses(connection)) == (2, {"published": 5, "pending": 5})
    writer(results[5:])
    assert statuses(connection) == {"published": 10}
    assert (writer.tally, writer.unwritten) == (Counter(published=10), [])


def test_a_failure_to_write_other_outcomes_does_not_count_the_delivered_twice(
    store: Store, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_routes(store, 2)
    first, second = claim_all(store)
    failed: Outcome = Failed(error="no")
    clock = Time()
    transaction, writer = Flaky(monkeypatch, store, "transaction"), a_writer(store, clock)
    transaction.failures = [StoreUnavailable("gone")]
    writer([Result(claim=second, outcome=failed), *delivered([first])])
    assert statuses(connection) == {"published": 1, "pending": 1}
    clock.now += PAUSE_SECONDS
    writer([])
    assert statuses(connection) == {"published": 1, "retrying": 1}
    assert writer.tally == Counter(published=1, retrying=1)


def test_a_group_is_committed_whatever_claims_its_routes_are_of(
    store: Store, connection: Connection
) -> None:
    store_routes(store, 4)
    results = [one for _ in range(2) for one in delivered(claim_all(store, batch=2))]
    writer = a_writer(store, Time())
    writer([results[0], results[2], results[1], results[3]])
    assert statuses(connection) == {"published": 4}
    assert writer.tally == Counter(published=4)
    kept = "select count(*) from dovecote.email_deliveries d join dovecote.notification_routes r"
    kept += " on (d.route_id, d.message_id) = (r.route_id, r.provider_message_id)"
    assert connection.execute(kept.encode()).fetchone() == (4,)
