"""Control over HTTP, under /_provider/: the ledger, the events, the orders and the send rate."""

import dataclasses
import json
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import msgspec
from aiohttp import web

from local.provider.order import StandingOrder, read_orders
from local.provider.provider import Provider

T = TypeVar("T")


class SendRate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many emails a second SES takes; null for as many as come."""

    per_second: Annotated[float, msgspec.Meta(gt=0)] | None


def add_routes(app: web.Application, provider: Provider) -> None:
    """Serve the provider's control."""
    control = _Control(provider)
    app.router.add_routes(
        [
            web.get("/_provider/ledger", control.ledger),
            web.delete("/_provider/ledger", control.forget),
            web.get("/_provider/events", control.events),
            web.get("/_provider/orders", control.orders),
            web.put("/_provider/orders", control.replace_orders),
            web.post("/_provider/orders", control.give_orders),
            web.delete("/_provider/orders", control.withdraw_orders),
            web.delete("/_provider/orders/{id}", control.withdraw_orders),
            web.get("/_provider/send-rate", control.send_rate),
            web.put("/_provider/send-rate", control.set_send_rate),
        ]
    )


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
        return _described(self._provider.replace(await _read(request, read_orders)))

    async def give_orders(self, request: web.Request) -> web.Response:
        """Add one order or several."""
        return _described(self._provider.give(*await _read(request, read_orders)), status=201)

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
        rate = await _read(request, lambda document: msgspec.convert(document, SendRate))
        self._provider.send_rate = rate.per_second
        return await self.send_rate(request)


async def _read(request: web.Request, convert: Callable[[Any], T]) -> T:
    """Return what a request holds; answer 400 where it holds something else."""
    try:
        return convert(json.loads(await request.read()))
    except ValueError as error:  # msgspec.ValidationError is one
        message = json.dumps({"message": str(error)})
        raise web.HTTPBadRequest(text=message, content_type="application/json") from None


def _described(orders: list[StandingOrder], status: int = 200) -> web.Response:
    body: list[dict[str, Any]] = [
        {"id": one.id, "used": one.used, **msgspec.to_builtins(one.order)} for one in orders
    ]
    return web.json_response(body, status=status)
