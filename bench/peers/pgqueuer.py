"""pgqueuer, by asyncpg, with the batches that its own benchmark takes."""

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import asyncpg
from pgqueuer import AsyncpgDriver, PgQueuer, Queries
from pgqueuer.models import Job

from bench.peers.job import payload
from bench.peers.line import Handled, await_end, await_start, say

BATCH = 1000


def encoded(number: int) -> bytes:
    """Return a job's payload."""
    return json.dumps(payload(number)).encode()


async def install(url: str) -> None:
    """Make the tables."""
    await Queries(AsyncpgDriver(await asyncpg.connect(url))).install()


async def fill(url: str, count: int) -> None:
    """Store jobs in bulk."""
    queries = Queries(AsyncpgDriver(await asyncpg.connect(url)))
    for first in range(0, count, BATCH):
        await _enqueue(queries, range(first, min(first + BATCH, count)))


async def enqueue(url: str, count: int) -> None:
    """Store jobs one by one."""
    queries = Queries(AsyncpgDriver(await asyncpg.connect(url)))
    await queries.enqueue("noop", encoded(count))
    await_start()
    for number in range(count):
        await queries.enqueue("noop", encoded(number))
    say(count)
    await_end()


async def bulk(url: str, calls: int, size: int) -> None:
    """Store jobs, many in a call."""
    queries = Queries(AsyncpgDriver(await asyncpg.connect(url)))
    await _enqueue(queries, range(size))
    await_start()
    for _ in range(calls):
        await _enqueue(queries, range(size))
    say(calls * size)
    await_end()


async def _enqueue(queries: Queries, numbers: range) -> None:
    jobs = [encoded(number) for number in numbers]
    await queries.enqueue(["noop"] * len(jobs), jobs, [0] * len(jobs))


async def drain(url: str, milliseconds: int, in_flight: int) -> None:
    """Do jobs until the bench has seen enough."""
    worker = PgQueuer(AsyncpgDriver(await asyncpg.connect(url)))
    handled = Handled()

    @worker.entrypoint("noop")  # type: ignore[untyped-decorator]
    async def noop(job: Job) -> None:
        json.loads(job.payload or b"")
        if milliseconds:
            await asyncio.sleep(milliseconds / 1000)
        handled.count += 1

    await_start()
    handled.tell()
    # It wants twice its batch in flight.
    batch = in_flight // 2 or BATCH
    await worker.run(batch_size=batch, max_concurrent_tasks=in_flight or None)


if __name__ == "__main__":
    order, url, *numbers = sys.argv[1:]
    orders: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {
        "install": install,
        "fill": fill,
        "enqueue": enqueue,
        "bulk": bulk,
        "drain": drain,
    }
    asyncio.run(orders[order](url, *map(int, numbers)))
