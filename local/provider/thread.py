"""The provider in a thread of its own, for tests."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass

from aiohttp import web

from local.provider.app import create_app
from local.provider.provider import Provider


@dataclass(frozen=True, kw_only=True)
class Running:
    """A provider that answers at a URL."""

    url: str
    provider: Provider


@contextmanager
def running(provider: Provider | None = None, *, port: int = 0) -> Iterator[Running]:
    """Serve a provider on 127.0.0.1 for as long as the context lasts."""
    provider = provider or Provider()
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, str]] = Future()
    thread = threading.Thread(
        target=lambda: asyncio.run(_serve(provider, port, started)), name="provider", daemon=True
    )
    thread.start()
    loop, stop, url = started.result()
    try:
        yield Running(url=url, provider=provider)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


async def _serve(
    provider: Provider,
    port: int,
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, str]],
) -> None:
    runner = web.AppRunner(create_app(provider), shutdown_timeout=0.1)
    try:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
    except OSError as error:
        started.set_exception(error)
        return
    stop = asyncio.Event()
    host, bound = runner.addresses[0][:2]
    started.set_result((asyncio.get_running_loop(), stop, f"http://{host}:{bound}"))
    await stop.wait()
    await runner.cleanup()
