"""procrastinate, by psycopg; it has no batches, so as many jobs side by side as are asked for."""

import asyncio
import logging
import sys
from collections.abc import Callable
from typing import Any

from procrastinate import App, PsycopgConnector, SyncPsycopgConnector

from bench.peers.job import payload
from bench.peers.line import Handled, await_end, await_start, say

CONCURRENCY = 24


def install(url: str) -> None:
    """Make the tables."""
    with App(connector=SyncPsycopgConnector(conninfo=url)).open() as app:
        app.schema_manager.apply_schema()


def fill(url: str, count: int) -> None:
    """Store jobs in bulk."""
    with App(connector=SyncPsycopgConnector(conninfo=url)).open() as app:
        for first in range(0, count, 1000):
            numbers = range(first, min(first + 1000, count))
            app.configure_task("noop").batch_defer(*(payload(n) for n in numbers))


def enqueue(url: str, count: int) -> None:
    """Store jobs one by one."""
    with App(connector=SyncPsycopgConnector(conninfo=url)).open() as app:
        job = app.configure_task("noop")
        job.defer(**payload(count))
        await_start()
        for number in range(count):
            job.defer(**payload(number))
        say(count)
        await_end()


def bulk(url: str, calls: int, size: int) -> None:
    """Store jobs, many in a call."""
    with App(connector=SyncPsycopgConnector(conninfo=url)).open() as app:
        job = app.configure_task("noop")
        job.batch_defer(*(payload(n) for n in range(size)))
        await_start()
        for _ in range(calls):
            job.batch_defer(*(payload(n) for n in range(size)))
        say(calls * size)
        await_end()


async def _drained(url: str, milliseconds: int, in_flight: int) -> None:
    app = App(connector=PsycopgConnector(conninfo=url))
    handled = Handled()

    @app.task(name="noop")  # type: ignore[untyped-decorator]
    async def noop(**_: Any) -> None:
        if milliseconds:
            await asyncio.sleep(milliseconds / 1000)
        handled.count += 1

    async with app.open_async():
        await_start()
        handled.tell()
        await app.run_worker_async(concurrency=in_flight or CONCURRENCY)


def drain(url: str, milliseconds: int, in_flight: int) -> None:
    """Do jobs until the bench has seen enough."""
    asyncio.run(_drained(url, milliseconds, in_flight))


if __name__ == "__main__":
    logging.getLogger("procrastinate").setLevel(logging.ERROR)
    order, url, *numbers = sys.argv[1:]
    orders: dict[str, Callable[..., None]] = {
        "install": install,
        "fill": fill,
        "enqueue": enqueue,
        "bulk": bulk,
        "drain": drain,
    }
    orders[order](url, *map(int, numbers))
