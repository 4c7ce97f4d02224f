"""Measure changes of stored routes: submits, deliveries, events, redrives, erasures, purges."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain, repeat
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from bench.year import reading
from bench.year.traffic import HEAVY, heavy_address, heavy_user, kind_of
from dovecote.operations.purge import LEAST_SECONDS, Purge
from dovecote.store.operations.purge import PostgresPurge
from dovecote.store.people.devices import PostgresDevices
from dovecote.wiring import api, clients
from dovecote.wiring.observability import log
from dovecote.wiring.settings import person_hash

if TYPE_CHECKING:
    from bench.year.stage import Bench

SUBMITS = 50
EVENTS = 20
MOST_BATCHES = 400
"""The most batches of a purge."""

RETENTION_DAYS = 89
"""A day less than the history has."""

PAYLOAD_DAYS = 88
"""The payloads of two days are removed, before the notifications of one of them."""

OLD = timedelta(days=60)
"""The least age of the dead letters that are redriven."""


def measure(bench: Bench) -> None:
    """Measure the changes."""
    bench.measure("submit", partial(_post, bench, SUBMITS))
    bench.measure("deliver an email or push", bench.live.drain)
    _events(bench)
    _redrive(bench)
    _people(bench)
    bench.measure(
        "remove payloads, a notification", partial(_purge, "payloads", payload_days=PAYLOAD_DAYS)
    )
    bench.measure("purge, a notification", partial(_purge, "notifications", days=RETENTION_DAYS))
    bench.measure("purge with nothing left", partial(_purge, "notifications", days=RETENTION_DAYS))


def _post(bench: Bench, count: int) -> int:
    for number in range(count):
        person = (f"new-{number}", f"success+new-{number}@example.com")
        bench.live.post(kind_of(number), [person])
    return count


def _events(bench: Bench) -> None:
    bench.live.channel.accepted.clear()
    _post(bench, EVENTS)
    bench.live.drain()
    bench.measure("feedback event", lambda: bench.live.report("delivered", 1))


def _redrive(bench: Bench) -> None:
    """Redrive old dead letters, and read the queue after they were published."""
    now = datetime.now(UTC)
    body = {
        "filter": {"to": (now - OLD).isoformat()}, "limit": 200, "per_second": 1000,
        "expires_at": (now + timedelta(days=1)).isoformat(),
    }  # fmt: skip

    def redrive() -> int:
        redriven = api.dead_letters().redrive_all(json.dumps(body).encode(), "the year")
        return redriven if isinstance(redriven, int) else redriven.redriven

    bench.measure("redrive, a route", redrive)
    time.sleep(0.5)  # until all are due
    bench.settle()
    reading.queue(bench, " after old routes were redriven")


def _people(bench: Bench) -> None:
    devices = PostgresDevices(clients.database(), person_hash())
    user = heavy_user("with-a-device")
    deletion = reading.each(lambda session: devices.delete(user, session), [f"{user}-phone"])
    bench.measure("delete a device of a user with 20,000 routes", deletion)
    bench.measure("release a suppression, a route of 20,000", _release)
    bench.settle()
    for name in ("erased-a-little", "erased"):
        words = f"erase {100 * HEAVY[name]:,} routes"
        began = time.monotonic()
        bench.measure(f"{words}, a route", partial(_erase, heavy_user(name)))
        bench.stage.rates[f"seconds to {words}"] = time.monotonic() - began


def _release() -> int:
    query = urlencode({"email": heavy_address("suppressed"), "release": "true"})
    api.suppressions().delete(query)
    return 100 * HEAVY["suppressed"]


def _erase(user: str) -> int:
    """Erase a user by as many calls as it takes; return the routes."""
    erased, query = 0, urlencode({"user_id": user})
    while True:
        answer = api.erasure().user(query)
        erased += answer.routes
        if not answer.remaining:
            return erased


def _purge(counted: str, *, days: int = 0, payload_days: int = 0) -> int:
    """Purge in a limited number of batches; return how many were deleted, 1 if there were none."""
    # Payloads may take half of the time.
    left = partial(next, chain(repeat(2 * LEAST_SECONDS + 1.0, MOST_BATCHES), repeat(0.0)))
    store = PostgresPurge(clients.database())
    purge = Purge(store=store, days=days, payload_days=payload_days, log=log())
    return max(1, purge(left)[counted])
