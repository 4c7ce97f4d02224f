"""The provider on 127.0.0.1 and on the bridge, in a thread of its own."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import ip_address

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from local.provider import Provider, create_app
from local.sam.docker import LOOPBACK, Bridge
from local.sam.errors import SamError

TRIES = 20
Started = Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]


@contextmanager
def served(provider: Provider, bridge: Bridge | None) -> Iterator[int]:
    """Serve a provider for as long as the context lasts; gives its port, one on all addresses."""
    hosts = ["127.0.0.1", *([] if bridge is None else [str(bridge.gateway)])]
    app = create_app(provider)
    app.middlewares.append(_only_from(bridge))
    with ExitStack() as exits:
        listeners = [exits.enter_context(listener) for listener in _listeners(hosts)]
        started: Started = Future()
        thread = threading.Thread(
            target=lambda: asyncio.run(_serve(app, listeners, started)), daemon=True
        )
        thread.start()
        loop, stop = started.result()
        try:
            yield int(listeners[0].getsockname()[1])
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join()


async def _serve(app: web.Application, listeners: list[socket.socket], started: Started) -> None:
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    for listener in listeners:
        await web.SockSite(runner, listener).start()
    stop = asyncio.Event()
    started.set_result((asyncio.get_running_loop(), stop))
    await stop.wait()
    await runner.cleanup()


def _listeners(hosts: list[str]) -> list[socket.socket]:
    """Bind one port, free on all hosts, on each of them."""
    for _ in range(TRIES):
        bound = [socket.create_server((hosts[0], 0))]
        port = bound[0].getsockname()[1]
        with suppress(OSError):
            bound += [socket.create_server((host, port)) for host in hosts[1:]]
            return bound
        bound[0].close()
    raise SamError(f"no port is free on all of {', '.join(hosts)}: try again")


def _only_from(
    bridge: Bridge | None,
) -> Middleware:
    """Answer this machine and its containers alone.

    Linux takes packets for the bridge's address on any interface.
    """
    nets = [LOOPBACK, *([] if bridge is None else [bridge.subnet])]

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        peer = ip_address(request.remote or "0.0.0.0")  # noqa: S104 - an address of nobody
        if not any(peer in net for net in nets):
            raise web.HTTPForbidden
        return await handler(request)

    return check
