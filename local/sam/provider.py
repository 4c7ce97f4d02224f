"""The provider for this machine and its containers, its orders from run to run, and its ledger."""

import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from local import LocalError
from local.provider import Order, Provider, create_app, serving
from local.provider.order import read_orders
from local.sam.docker import LOOPBACK, Bridge

TRIES = 20
Row = dict[str, Any]


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


def recall(provider: Provider, path: Path) -> None:
    """Give a provider the remaining orders of an earlier one."""
    for known in json.loads(path.read_text()) if path.exists() else []:
        for standing in provider.give(*read_orders(known["order"])):
            standing.used = known["used"]


def remember(provider: Provider, path: Path) -> None:
    """Write down the orders for the next provider."""
    orders = [
        {"used": standing.used, "order": msgspec.to_builtins(standing.order)}
        for standing in provider.orders
    ]
    path.write_text(json.dumps(orders, indent=1))


def give(url: str, orders: Sequence[Order]) -> None:
    """Give the provider at a URL the orders that it was not given before."""
    known = [
        {name: value for name, value in standing.items() if name not in ("id", "used")}
        for standing in _ask(url, "orders")
    ]
    for order in map(msgspec.to_builtins, orders):
        if order not in known:
            _ask(url, "orders", order)


def attempts(url: str) -> list[Row]:
    """Return each request to send that was received, with what was accepted as its content."""
    ledger = _ask(url, "ledger")
    accepted = {row["message_id"]: row["content"] for row in ledger["accepted"]}
    return [{**row, "content": accepted.get(row["message_id"])} for row in ledger["attempts"]]


def _listeners(hosts: list[str]) -> list[socket.socket]:
    """Bind one port, free on all hosts, on each of them."""
    for _ in range(TRIES):
        bound = [socket.create_server((hosts[0], 0))]
        port = bound[0].getsockname()[1]
        with suppress(OSError):
            bound += [socket.create_server((host, port)) for host in hosts[1:]]
            return bound
        bound[0].close()
    raise LocalError(f"no port is free on all of {', '.join(hosts)}: try again")


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


def _ask(url: str, what: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = Request(f"{url}/_provider/{what}", data=data)  # noqa: S310 - our own
    with urlopen(request, timeout=10) as answer:  # noqa: S310 - our own
        return json.load(answer)
