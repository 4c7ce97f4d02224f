"""Providers that throttle, pause, stall, lose answers and go down."""

import time
from collections import Counter
from pathlib import Path

import pytest

from local.provider import Fault, Order, Provider, Running, running
from local.provider.provider import THROTTLES
from tests.builders import CHANNEL
from tests.faults.processes import (
    Connection,
    a_nursery,
    acceptances,
    drained,
    held_against_ledger,
    live,
    outcomes,
    requests,
    statuses,
    store_due,
    until,
)
from tests.faults.storm import a_notification
from tests.faults.worker import Nursery
from tests.runs import free_port
from tests.sending import ACCOUNT, SERVICES, create_topic

THROTTLED = THROTTLES[SERVICES[CHANNEL]][1]
PAUSES = "select coalesce(sum(pauses), 0)::integer from dovecote.channel_state"


@pytest.fixture
def nursery(tmp_path: Path, database_url: str, provider: Running, catalog_folder: Path) -> Nursery:
    topic = provider.provider.registry.create_topic("gateway", {})
    return a_nursery(tmp_path, database_url, provider, catalog_folder, PUSH_TOPIC_ARN=topic.arn)


def one(connection: Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize(
    ("order", "posts"),
    [
        (Order(do=Fault.STALL_AFTER_ACCEPTING, seconds=3, times=1), {"accepted": 1}),
        (Order(do=Fault.CLOSE_AFTER_ACCEPTING, times=1), {"closed_after_accepting": 1}),
        (Order(do=Fault.CLOSE_BEFORE_ACCEPTING, times=1), {"closed": 1}),
        (Order(do=Fault.ERROR, status=503, code="ServiceUnavailable"), {"ServiceUnavailable": 1}),
        # Due again in half a second, with the same attempt.
        (Order(do=Fault.THROTTLE, times=1), {THROTTLED: 1, "accepted": 1}),
    ],
)
def test_an_attempt_is_one_post_whatever_becomes_of_it(
    nursery: Nursery,
    connection: Connection,
    provider: Running,
    order: Order,
    posts: dict[str, int],
) -> None:
    store_due(connection, 1)
    provider.provider.give(order)
    # A run waits for a throttled route only where it has time for another send afterwards.
    nursery.begin(seconds=8, BACKOFF_BASE_SECONDS="60", BACKOFF_MAX_SECONDS="60",
                  PAUSE_BASE_SECONDS="60", PAUSE_MAX_SECONDS="60").answer()  # fmt: skip
    until(lambda: outcomes(provider) == posts)


def test_a_paused_account_burns_no_attempt_and_makes_no_dead_letter(
    nursery: Nursery, connection: Connection, provider: Running
) -> None:
    store_due(connection, 1000, max_attempts=2)
    provider.provider.give(Order(do=Fault.ERROR, **ACCOUNT))
    for _ in range(6):
        nursery.begin(seconds=5).answer()
    assert one(connection, PAUSES) >= 3
    assert statuses(connection) == {"pending": 1000}
    assert one(connection, "select sum(attempts) from dovecote.notification_routes") == 0
    # A whole batch was under way at the first answer, one probe went out for each pause after it.
    assert requests(provider)[ACCOUNT["code"]] <= 32 + one(connection, PAUSES)
    provider.provider.withdraw()
    drained(nursery, connection)
    assert statuses(connection) == {"published": 1000}
    assert set(acceptances(provider).values()) == {1}
    assert connection.execute(
        "select distinct attempts from dovecote.notification_routes"
    ).fetchall() == [(1,)]


@pytest.mark.channels("email")
def test_at_a_rate_that_ses_tells_all_is_delivered_without_a_throttle_answer(
    nursery: Nursery, connection: Connection, provider: Running
) -> None:
    provider.provider.send_rate = 14
    store_due(connection, 120, max_attempts=2)
    nursery.environment["EMAIL_MAX_PER_SECOND"] = "auto"
    workers = [nursery.begin(seconds=60) for _ in range(4)]
    for worker in workers:
        worker.answer()
    drained(nursery, connection)
    assert statuses(connection) == {"published": 120}
    assert outcomes(provider) == {"accepted": 120}
    assert one(connection, PAUSES) == 0
    rows = provider.provider.ledger.accepted
    assert 120 / (rows[-1].time - rows[0].time) < 16


@pytest.mark.channels("email", "push")
@pytest.mark.channels("email")
@pytest.mark.parametrize("concurrency", [1, 32])
def test_a_rate_that_is_set_too_high_is_lowered_without_a_pause(
    nursery: Nursery, connection: Connection, provider: Running, concurrency: int
) -> None:
    provider.provider.send_rate = 14
    store_due(connection, 150, max_attempts=2)
    nursery.environment |= {"EMAIL_MAX_PER_SECOND": "40", "DISPATCH_CONCURRENCY": str(concurrency)}
    workers = [nursery.begin(seconds=60) for _ in range(3)]
    for worker in workers:
        worker.answer()
    drained(nursery, connection)
    assert statuses(connection) == {"published": 150}
    assert 0 < outcomes(provider)["TooManyRequestsException"] <= 60
    assert one(connection, PAUSES) == 0
    assert one(connection, "select max(attempts) from dovecote.notification_routes") == 1
    assert set(acceptances(provider).values()) == {1}


def test_pushes_flow_while_email_is_paused_behind_a_hundred_thousand_due_emails(
    nursery: Nursery, connection: Connection, provider: Running
) -> None:
    connection.execute("set statement_timeout = 0")
    store_due(connection, 100_000)
    connection.execute(
        "update dovecote.channel_state set in_a_row = 1,"
        " paused_until = clock_timestamp() + interval '1 hour' where resource = 'email'"
    )
    for number in range(10):
        nursery.begin("submit", a_notification(f"k{number}", "order.shipped")).answer()
    began = time.monotonic()
    tally = nursery.begin(seconds=30).answer()
    took = time.monotonic() - began
    pushes = [row for row in provider.provider.ledger.accepted if row.service == "sns"]
    assert len(pushes) == 40
    assert Counter(row.operation for row in provider.provider.ledger.attempts) == {"Publish": 40}
    assert tally["published"] > 0
    assert took < 10


def test_a_provider_that_is_down_for_longer_than_all_backoffs_costs_only_what_expires(
    tmp_path: Path, database_url: str, connection: Connection, catalog_folder: Path
) -> None:
    port = free_port()
    provider = Provider()
    create_topic(provider)
    with running(provider, port=port) as up:
        nursery = a_nursery(tmp_path, database_url, up, catalog_folder)
    for priority in (2, 1, 0):
        store_due(connection, 60, max_attempts=4, priority=priority)
    store_due(connection, 5, max_attempts=4, priority=1, expires_in=2)
    # Four attempts, at most half a second apart: all would be over in two seconds.
    down_until = time.monotonic() + 8
    while time.monotonic() < down_until:
        nursery.begin(seconds=6).answer()
    assert statuses(connection).get("dead_lettered") == 5
    with running(provider, port=port):
        drained(nursery, connection, 90)
        assert statuses(connection) == {"published": 180, "dead_lettered": 5}
        assert connection.execute(
            "select distinct reason from dovecote.notification_dead_letters"
        ).fetchall() == [("expired",)]
        assert held_against_ledger(connection, up)["agree"]
        assert _mean_place(connection, provider, 0) < _mean_place(connection, provider, 2)


def _mean_place(connection: Connection, provider: Provider, priority: int) -> float:
    routes = connection.execute(
        "select route_id::text from dovecote.notification_routes where priority = %s", (priority,)
    )
    wanted = {route_id for (route_id,) in routes}
    places = [n for n, row in enumerate(provider.ledger.accepted) if row.route_id in wanted]
    return sum(places) / len(places)


@pytest.mark.channels("email")
@pytest.mark.channels("email")
def test_the_retries_of_an_outage_do_not_starve_what_is_new(
    nursery: Nursery, connection: Connection, provider: Running
) -> None:
    store_due(connection, 2000, priority=1)
    connection.execute(
        "update dovecote.notification_routes"
        " set status = 'retrying', lane = lane + 1, attempts = 1, claims = 1,"
        " next_attempt_at = clock_timestamp() - interval '1 hour'"
    )
    store_due(connection, 100, priority=1)
    nursery.environment["EMAIL_MAX_PER_SECOND"] = "100"
    worker = nursery.begin(seconds=60)
    fresh = "select count(*) from dovecote.notification_routes where status = 'pending'"
    until(lambda: one(connection, fresh) == 0)
    worker.process.terminate()
    worker.process.join()
    # Half of what went out was new, as long as there was any.
    assert len(provider.provider.ledger.accepted) < 400


def test_a_flood_of_one_kind_stops_no_other_priority(
    nursery: Nursery, connection: Connection, provider: Running
) -> None:
    store_due(connection, 3000, priority=1)
    store_due(connection, 10, priority=0)
    store_due(connection, 10, priority=2)
    nursery.environment["EMAIL_MAX_PER_SECOND"] = "40"
    worker = nursery.begin(seconds=60)
    others = (
        "select count(*) from dovecote.notification_routes"
        " where priority <> 1 and status = 'pending'"
    )
    until(lambda: one(connection, others) == 0)
    worker.process.terminate()
    worker.process.join()
    assert len(provider.provider.ledger.accepted) < 400
    assert live(connection) > 2000
