"""The operator's console of a site, served as dovecote console serves it."""

import asyncio
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

from operate.console.serve import serving
from operate.site import Site


@contextmanager
def console(site: Site) -> Iterator[str]:
    """Serve a site's console in a thread of its own; yield the address that admits a browser."""
    begun: queue.Queue[Any] = queue.Queue()

    async def scenario() -> None:
        over = asyncio.Event()
        async with serving(site, 0) as address:
            begun.put((address, asyncio.get_running_loop(), over))
            await over.wait()

    thread = Thread(target=lambda: asyncio.run(scenario()))
    thread.start()
    address, loop, over = begun.get(timeout=10)
    try:
        yield address
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
