"""The provider on 127.0.0.1 and on the bridge, for this machine and its containers alone."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import ip_address

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from local.provider import Provider, create_app, serving
from local.sam.docker import LOOPBACK, Bridge
from local.sam.errors import SamError

TRIES = 20


@contextmanager
def served(provider: Provider, bridge: Bridge | None) -> Iterator[int]:
    """Serve a provider for as long as the context lasts; gives its port, one on all addresses."""
    hosts = ["127.0.0.1", *([] if bridge is None else [str(bridge.gateway)])]
    app = create_app(provider)
    app.middlewares.append(_only_from(bridge))
    with ExitStack() as exits:
        listeners = [exits.enter_context(listener) for listener in _listeners(hosts)]
        with serving(app, listeners):
            yield int(listeners[0].getsockname()[1])


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


def _only_from(bridge: Bridge | None) -> Middleware:
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
