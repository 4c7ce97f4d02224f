"""make year fills its databases with copies of a little traffic.

Its short form is in test_bounded_reads.py: a burst after an idle period, and an old snapshot.
"""

from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from bench.year import growing
from dovecote.core.ids import uuid7
from dovecote.core.outcome import Permanent, Result
from tests.builders import a_finaliser, a_notification, a_route, claim_all, misfiled, stored
from tests.store import HASHES, Store

DAYS, COPIES = 90, 30

COUNTS = """
select count(*), count(distinct notification_id), count(distinct user_id), count(d.route_id),
       extract(day from max(n.created_at) - min(n.created_at))::integer,
       bool_and(abs(extract(epoch from uuid_extract_timestamp(notification_id) - n.created_at)) < 5)
from dovecote.notifications n
join dovecote.notification_routes r using (notification_id)
left join dovecote.notification_dead_letters d using (route_id, notification_id)
"""
"""Routes, notifications, users, dead letters, days, and whether ids are in the order of time."""

ADDRESSES = """
select address, address_hash from dovecote.notification_routes where address is not null
"""


def traffic(connection: psycopg.Connection[Any], store: Store, **how: Any) -> growing.Traffic:
    """Store two notifications of two routes, one of which is dead-lettered, and put them aside."""
    for user in ("u-1", "u-2"):
        routes = [a_route(route_id=uuid7(), user_id=user) for _ in range(2)]
        stored(store, replace(a_notification(routes), notification_id=uuid7()))
    first, *others = claim_all(store)
    results = [Result(claim=first, outcome=Permanent(error="e"))]
    a_finaliser().settle(store, results, until=0)
    with store.transaction() as transaction:
        transaction.publish(first.token, {claim.route_id: "m" for claim in others})
    return growing.put_aside(connection, copies=COPIES, **how)


@pytest.mark.parametrize(("same_people", "users"), [(True, 2), (False, 2 * 4)])
def test_copies_are_a_complete_history_that_is_never_sent(
    connection: psycopg.Connection[Any], store: Store, same_people: bool, users: int
) -> None:
    connection.execute("set search_path = public")
    growing.prepare(connection)
    made = traffic(connection, store, schema="seed", same_people=same_people)
    growing.grow(connection, DAYS, [made])
    days = DAYS - DAYS // COPIES
    found = connection.execute(COUNTS).fetchall()
    assert found == [(4 * COPIES, 2 * COPIES, users, COPIES, days, True)]
    assert misfiled(connection) == []
    hashes = HASHES if same_people else growing.CopiedHash(HASHES.key)
    for address, address_hash in connection.execute(ADDRESSES):
        assert hashes.address(address) == address_hash
    assert claim_all(store) == []
    stored(store, a_notification())
    assert len(claim_all(store)) == 1
