"""The bench fills tables by SQL of its own: what it stores is what dispatch claims."""

from typing import Any
from uuid import uuid4

import psycopg
import pytest

from bench import routes
from dovecote.channels import lanes
from dovecote.core.claim import Lease
from tests.builders import fresh
from tests.store import Store

FIRST_BUCKETS = [lane for lane in lanes.ALL if lane.bucket == 0]


@pytest.mark.parametrize("lane", FIRST_BUCKETS, ids=lambda lane: str(lane.number))
def test_a_route_of_the_bench_lies_in_its_lane(
    lane: lanes.Lane, connection: psycopg.Connection[Any]
) -> None:
    routes.fill(connection, 1)
    differing = {
        "channel": f"'{lane.channel}'",
        "target": f"'{routes.TARGETS[lane.channel][0]}'",
        "address": routes.TARGETS[lane.channel][1],
        "priority": str(lanes.PRIORITIES[lane.priority]),
        "status": "'retrying'" if lane.retry else "'pending'",
        "user_id": "'u-2'",
    }
    statement = routes.insertion("from dovecote.notifications", **differing)
    connection.execute(statement.encode())
    found = connection.execute(
        "select lane from dovecote.notification_routes where user_id = 'u-2'"
    ).fetchall()
    assert found == [(lane.number,)]


def test_the_bench_claims_what_it_filled(connection: psycopg.Connection[Any], store: Store) -> None:
    routes.fill(connection, 3)
    assert len(fresh(store, {routes.DUE: 10}, Lease(token=uuid4(), seconds=60))) == 3


def test_what_the_bench_copies_is_claimed_too(
    connection: psycopg.Connection[Any], store: Store
) -> None:
    values = {"first": 1, "last": 1}
    notification_id, _ = connection.execute(routes.NOTIFICATIONS.encode(), values).fetchall()[0]
    same = routes.plain()
    row = {"route_id": uuid4(), "notification_id": notification_id, "position": 0, **same}
    target = f"copy dovecote.notification_routes ({', '.join(row)}) from stdin"
    with connection.cursor().copy(target.encode()) as copy:
        copy.write_row(list(row.values()))
    assert len(fresh(store, {routes.DUE: 10}, Lease(token=uuid4(), seconds=60))) == 1
