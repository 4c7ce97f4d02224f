"""Measure reads: notifications by id and person, devices, dead letters, the queue."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlencode

from msgspec import structs

from bench.year.growing import CopiedHash
from bench.year.traffic import DIGEST, heavy_user
from dovecote.channels import lanes
from dovecote.core.claim import Lease
from dovecote.store.operations.notifications import PostgresStories
from dovecote.store.operations.overview import PostgresOverview
from dovecote.wiring import api, clients
from dovecote.wiring.delivery import dispatch_store
from dovecote.wiring.settings import person_hash

if TYPE_CHECKING:
    from bench.year.stage import Bench

TIMES = 20
DAY_MS = 86_400_000
T = TypeVar("T")


def measure(bench: Bench) -> None:
    """Measure the reads of notifications and people of the whole time."""
    ids, people = _samples(bench)
    users, emails = ([urlencode({name: one}) for one in of] for name, of in people.items())
    find, letters = _find_copied(), api.dead_letters().find
    bench.measure("GET a notification", each(lambda one: api.notifications().get(one, ""), ids))
    bench.measure("find by user", each(find, users))
    bench.measure("find by address", each(find, emails))
    of_heavy = urlencode({"user_id": heavy_user("erased")})
    bench.measure("find by user with 20,000 routes", each(find, [of_heavy]))
    bench.measure("GET devices", each(api.find_devices, users))
    for words, channel in (("", "email"), (" without a match", "push")):
        query = urlencode({"kind": DIGEST, "channel": channel})
        bench.measure(f"dead letters of a kind and channel{words}", each(letters, [query] * 5))
    queue(bench, "")


def _find_copied() -> Callable[[str], object]:
    """Return the search for notifications, by the hashes of copied people."""
    store = PostgresStories(clients.database(), CopiedHash(person_hash().key))
    return structs.replace(api.notifications(), store=store).find


def queue(bench: Bench, when: str) -> None:
    """Measure the reads of the queue, with new cursors."""
    overview = PostgresOverview(clients.database())
    bench.measure(f"overview{when}", each(lambda _: api.overview(), range(3)))
    bench.measure(f"gauges{when}", each(lambda _: overview.gauges(), range(5)))
    bench.measure(f"backlog{when}", each(lambda _: dispatch_store().backlog(5_000), range(5)))
    bench.measure(f"claim of expired routes{when}", each(_claim_expired, range(5)))


def _claim_expired(_: object) -> object:
    lease = Lease(token=uuid.uuid4(), seconds=60)
    numbers = [lane.number for lane in lanes.ALL]
    return dispatch_store().claim_expired(numbers, lease, hold=0, limit=100)


def each(run: Callable[[T], object], of: Iterable[T]) -> Callable[[], int]:
    """Return a function that runs `run` for each item, and returns how many there were."""
    return lambda: len([run(one) for one in of])


def _samples(bench: Bench) -> tuple[Sequence[str], Mapping[str, Sequence[str]]]:
    """Return notifications of random times, and their users and addresses."""
    found = [_after(bench, random.uniform(2, 80)) for _ in range(3 * TIMES)]
    copied = [row for row in found if not row[1].startswith("heavy")][:TIMES]
    ids, users, addresses = zip(*copied, strict=True)
    return [str(one) for one in ids], {"user_id": users, "email": addresses}


def _after(bench: Bench, days: float) -> tuple[uuid.UUID, str, str]:
    """Return the notification, user and address of the first email since so many days ago."""
    at = int(time.time() * 1000 - days * DAY_MS)
    row = bench.connection.execute(
        "select r.notification_id, r.user_id, r.address"
        " from (select notification_id from dovecote.notifications where notification_id > %s"
        "  order by notification_id limit 1) n"
        " join dovecote.notification_routes r using (notification_id)"
        " where r.address is not null and r.user_id is not null",
        (uuid.UUID(int=at << 80),),
    ).fetchone()
    assert row is not None
    return row
