"""The provider as an aiohttp application, also in a thread of its own."""

import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass

from aiohttp import web

from local.provider import control, ses, ses_bulk, sns
from local.provider.protocol import refusing
from local.provider.provider import Provider
from operate.console.guard import local_only

# SES takes messages of up to 40 MB.
MAX_BODY = 40 * 1024 * 1024
Started = Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]


@dataclass(frozen=True, kw_only=True)
class Running:
    """A provider that answers at a URL."""

    url: str
    provider: Provider


def create_app(provider: Provider) -> web.Application:
    """Make the application that speaks SES v2, SNS and the provider's control."""
    app = web.Application(client_max_size=MAX_BODY, middlewares=[local_only, refusing])
    for part in (ses, ses_bulk, sns, control):
        part.add_routes(app, provider)
    return app


@contextmanager
def running(provider: Provider | None = None, *, port: int = 0) -> Iterator[Running]:
    """Serve a provider on 127.0.0.1 for as long as the context lasts."""
    provider = provider or Provider()
    with socket.create_server(("127.0.0.1", port)) as listener:
        host, bound = listener.getsockname()
        with serving(create_app(provider), [listener]):
            yield Running(url=f"http://{host}:{bound}", provider=provider)


@contextmanager
def serving(app: web.Application, listeners: Sequence[socket.socket]) -> Iterator[None]:
    """Serve an application on bound sockets for as long as the context lasts."""
    started: Started = Future()
    thread = threading.Thread(
        target=lambda: asyncio.run(_serve(app, listeners, started)), name="provider", daemon=True
    )
    thread.start()
    loop, stop = started.result()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


async def _serve(
    app: web.Application, listeners: Sequence[socket.socket], started: Started
) -> None:
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    for listener in listeners:
        await web.SockSite(runner, listener).start()
    stop = asyncio.Event()
    started.set_result((asyncio.get_running_loop(), stop))
    await stop.wait()
    await runner.cleanup()
