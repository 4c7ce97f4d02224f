"""Control over HTTP, under /_provider/: the ledger, the events, the orders and the send rate."""

import dataclasses
import json
from typing import Annotated, Any

import msgspec
from aiohttp import web

from local.provider.order import StandingOrder, read_orders
from local.provider.provider import Provider


def add_routes(app: web.Application, provider: Provider) -> None:
    """Serve the provider's control."""
    control = _Control(provider)
    app.router.add_get("/_provider/ledger", control.ledger)
    app.router.add_delete("/_provider/ledger", control.forget)
    app.router.add_get("/_provider/events", control.events)
    app.router.add_get("/_provider/orders", control.orders)
    app.router.add_put("/_provider/orders", control.replace_orders)
    app.router.add_post("/_provider/orders", control.give_orders)
    app.router.add_delete("/_provider/orders", control.withdraw_orders)
    app.router.add_delete("/_provider/orders/{id}", control.withdraw_orders)
    app.router.add_get("/_provider/send-rate", control.send_rate)
    app.router.add_put("/_provider/send-rate", control.set_send_rate)


class _SendRate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    per_second: Annotated[float, msgspec.Meta(gt=0)] | None


class _Control:
    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    async def ledger(self, _: web.Request) -> web.Response:
        """Return all that was accepted, all that was received, and counts of the latter."""
        ledger = self._provider.ledger
        return web.json_response(
            {
                "accepted": [dataclasses.asdict(row) for row in ledger.accepted],
                "attempts": [dataclasses.asdict(attempt) for attempt in ledger.attempts],
                "received": ledger.received,
            }
        )

    async def forget(self, _: web.Request) -> web.Response:
        """Empty the ledger and the events."""
        self._provider.forget()
        return web.Response(status=204)

    async def events(self, _: web.Request) -> web.Response:
        """Return the events of SES, oldest first."""
        return web.json_response(self._provider.events)

    async def orders(self, _: web.Request) -> web.Response:
        """Return the orders that stand."""
        return _described(self._provider.orders)

    async def replace_orders(self, request: web.Request) -> web.Response:
        """Put these orders in the place of all others."""
        try:
            orders = read_orders(json.loads(await request.read()))
        except ValueError as error:  # msgspec.ValidationError is one
            return _refused(error)
        return _described(self._provider.replace(orders))

    async def give_orders(self, request: web.Request) -> web.Response:
        """Add one order or several."""
        try:
            orders = read_orders(json.loads(await request.read()))
        except ValueError as error:
            return _refused(error)
        return _described(self._provider.give(*orders), status=201)

    async def withdraw_orders(self, request: web.Request) -> web.Response:
        """Withdraw one order, or all."""
        wanted = request.match_info.get("id")
        withdrawn = self._provider.withdraw(wanted)
        return web.Response(status=404 if wanted and not withdrawn else 204)

    async def send_rate(self, _: web.Request) -> web.Response:
        """Return how many emails a second SES takes; null for as many as come."""
        return web.json_response({"per_second": self._provider.send_rate})

    async def set_send_rate(self, request: web.Request) -> web.Response:
        """Set it, from now on."""
        try:
            wanted = msgspec.json.decode(await request.read(), type=_SendRate)
        except ValueError as error:
            return _refused(error)
        self._provider.send_rate = wanted.per_second
        return await self.send_rate(request)


def _refused(error: ValueError) -> web.Response:
    return web.json_response({"message": str(error)}, status=400)


def _described(orders: list[StandingOrder], status: int = 200) -> web.Response:
    body: list[dict[str, Any]] = [
        {
            "id": standing.id,
            "used": standing.used,
            **msgspec.to_builtins(standing.order),
        }
        for standing in orders
    ]
    return web.json_response(body, status=status)
