"""The provider's state, and the one way in which a request to send is carried out."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import NoReturn

from aiohttp import web

from local.provider.ledger import Acceptance, Email, Ledger, Push, Send, Service
from local.provider.order import Fault, Order, OrderBook, StandingOrder
from local.provider.problem import AwsError
from local.provider.rate import SendRate
from local.provider.registry import Registry
from local.provider.simulator import Event, events

THROTTLES = {
    "ses": AwsError(429, "TooManyRequestsException", "Maximum sending rate exceeded."),
    "sns": AwsError(400, "Throttling", "Rate exceeded"),
}
LINE = (
    Fault.STALL,
    Fault.STALL_AFTER_ACCEPTING,
    Fault.CLOSE_BEFORE_ACCEPTING,
    Fault.CLOSE_AFTER_ACCEPTING,
)
"""What happens to the connection of a call, and so to all of its entries."""
BEFORE = (Fault.THROTTLE, Fault.ERROR, Fault.CLOSE_BEFORE_ACCEPTING)


class ConnectionDies(Exception):
    """The connection is to be closed without an answer."""


class Provider:
    """An account at AWS: identities, platform applications, topics, orders and the ledger.

    With `strict`, SES sends only from identities that were created, as AWS and moto do. Who is in
    `listeners` is told of each event of SES before the request that it is of is answered.
    """

    def __init__(
        self,
        *,
        region: str = "us-east-1",
        account: str = "123456789012",
        strict: bool = False,
        seed: int = 0,
        clock: Callable[[], float] = time.time,
        send_rate: float | None = None,
    ) -> None:
        self.region = region
        self.account = account
        self.strict = strict
        self.clock = clock
        self.identities: set[str] = set()
        self.registry = Registry(region=region, account=account, clock=clock)
        self.ledger = Ledger()
        self.events: list[Event] = []
        self.listeners: list[Callable[[Event], None]] = []
        self._orders = OrderBook(random.Random(seed))
        self.send_rate = send_rate

    @property
    def send_rate(self) -> float | None:
        """Return how many emails a second SES takes; None for as many as come."""
        return None if self._send_rate is None else self._send_rate.per_second

    @send_rate.setter
    def send_rate(self, per_second: float | None) -> None:
        self._send_rate = None if per_second is None else SendRate(per_second, self.clock)

    @property
    def orders(self) -> list[StandingOrder]:
        """Return the orders that stand, oldest first."""
        return self._orders.standing

    def give(self, *orders: Order) -> list[StandingOrder]:
        """Take orders to fail."""
        return self._orders.give(orders)

    def replace(self, orders: Sequence[Order]) -> list[StandingOrder]:
        """Take these orders in place of all others."""
        self._orders.withdraw()
        return self._orders.give(orders)

    def withdraw(self, order_id: str | None = None) -> int:
        """Withdraw one order, or all, and return how many there were."""
        return self._orders.withdraw(order_id)

    def forget(self) -> None:
        """Empty the ledger and the list of events; identities, devices and orders stay."""
        self.ledger.clear()
        self.events.clear()

    async def carry_out(self, request: web.Request, send: Send, process: Callable[[], str]) -> str:
        """Process a request to send as far as the orders let it, and return its message id.

        `process` validates the request, writes the ledger and returns the message id. Raises
        AwsError for a refusal and ConnectionDies where there will be no answer.
        """
        self._check_rate(send)
        order = self._orders.draw(send)
        fault = None if order is None else order.do
        if order is not None and fault in BEFORE:
            self._refuse(send, order)
        if order is not None and fault is Fault.STALL:
            await self._stall(request, [send], order)
        message_id = self._process(send, process, fault)
        if fault is Fault.CLOSE_AFTER_ACCEPTING:
            raise ConnectionDies
        if order is not None and fault is Fault.STALL_AFTER_ACCEPTING:
            await asyncio.sleep(order.seconds)
        return message_id

    async def carry_out_together(
        self, request: web.Request, sends: Sequence[Send], process: Callable[[int], str]
    ) -> list[str | AwsError]:
        """Process the entries of a bulk call as far as the orders let it.

        Returns a message id or a refusal for each; raises AwsError for a refusal of the call.
        `process` is told the place of the entry.
        """
        whole = self._drawn_for_call(sends)
        results: list[Order | AwsError | None] = [self._drawn_for_entry(send) for send in sends]
        orders = [order for order in (whole, *results) if isinstance(order, Order)]
        line = next((order for order in orders if order.do in LINE), None)
        if line is not None and line.do is Fault.CLOSE_BEFORE_ACCEPTING:
            self._note_all(sends, "closed")
            raise ConnectionDies
        if line is not None and line.do is Fault.STALL:
            await self._stall(request, sends, line)
        answers = [
            self._entry(send, drawn or whole, line, partial(process, place))
            for place, (send, drawn) in enumerate(zip(sends, results, strict=True))
        ]
        if line is not None and line.do is Fault.CLOSE_AFTER_ACCEPTING:
            raise ConnectionDies
        if line is not None and line.do is Fault.STALL_AFTER_ACCEPTING:
            await asyncio.sleep(line.seconds)
        return answers

    def _drawn_for_call(self, sends: Sequence[Send]) -> Order | None:
        """Return the order that falls on a whole call; raise AwsError where that refuses it."""
        targets = tuple(target for send in sends for target in send.targets)
        order = self._orders.draw(replace(sends[0], targets=targets, tags={}), narrow=False)
        if order is not None and order.do in (Fault.THROTTLE, Fault.ERROR):
            error = _refusal("ses", order)
            self._note_all(sends, error.code)
            raise error
        return order

    def take_send(self) -> bool:
        """Take one send from the account's rate, as each email does; return whether it may go."""
        return self._send_rate is None or self._send_rate.admits()

    def _drawn_for_entry(self, send: Send) -> Order | AwsError | None:
        if not self.take_send():
            return THROTTLES["ses"]
        return self._orders.draw(send, narrow=True)

    def _entry(
        self,
        send: Send,
        drawn: Order | AwsError | None,
        line: Order | None,
        process: Callable[[], str],
    ) -> str | AwsError:
        if isinstance(drawn, Order) and drawn.do in (Fault.THROTTLE, Fault.ERROR):
            drawn = _refusal("ses", drawn)
        if isinstance(drawn, AwsError):
            self.ledger.note(at=self.clock(), send=send, outcome=drawn.code)
            return drawn
        fault = line.do if line is not None else drawn.do if drawn is not None else None
        try:
            return self._process(send, process, fault)
        except AwsError as error:
            return error

    def _note_all(self, sends: Sequence[Send], outcome: str) -> None:
        for send in sends:
            self.ledger.note(at=self.clock(), send=send, outcome=outcome)

    def accept(self, send: Send, message_id: str, content: Email | Push) -> None:
        """Write an acceptance to the ledger."""
        self.ledger.accept(at=self.clock(), send=send, message_id=message_id, content=content)

    def _check_rate(self, send: Send) -> None:
        """Refuse what comes too fast, before it could use up an order."""
        if send.service == "ses" and not self.take_send():
            self._decline(send, THROTTLES["ses"])

    async def _stall(self, request: web.Request, sends: Sequence[Send], order: Order) -> None:
        began = self.clock()
        await asyncio.sleep(order.seconds)
        if request.transport is None or request.transport.is_closing():
            for send in sends:
                self.ledger.note(at=began, send=send, outcome="hung_up")
            raise ConnectionDies

    def _refuse(self, send: Send, order: Order) -> None:
        if order.do is Fault.CLOSE_BEFORE_ACCEPTING:
            self.ledger.note(at=self.clock(), send=send, outcome="closed")
            raise ConnectionDies
        self._decline(send, _refusal(send.service, order))

    def _decline(self, send: Send, error: AwsError) -> NoReturn:
        self.ledger.note(at=self.clock(), send=send, outcome=error.code)
        raise AwsError(error.status, error.code, error.message)

    def _process(self, send: Send, process: Callable[[], str], fault: Fault | None) -> str:
        rows = len(self.ledger.accepted)
        try:
            message_id = process()
        except AwsError as error:
            self.ledger.note(at=self.clock(), send=send, outcome=error.code)
            raise
        accepted = self.ledger.accepted[rows:]
        outcome = "accepted" if accepted else "deduplicated"
        if fault is Fault.CLOSE_AFTER_ACCEPTING:
            outcome = "closed_after_accepting"
        self.ledger.note(at=self.clock(), send=send, outcome=outcome, message_id=message_id)
        for row in accepted:
            self._publish_events(row, fault)
        return message_id

    def _publish_events(self, row: Acceptance, fault: Fault | None) -> None:
        if row.service != "ses":
            return
        for event in events(row, region=self.region, account=self.account, fault=fault):
            self.events.append(event)
            for listener in self.listeners:
                listener(event)


def _refusal(service: Service, order: Order) -> AwsError:
    if order.do is Fault.ERROR:
        return AwsError(order.status, order.code, order.message)
    return THROTTLES[service]


def close(request: web.Request) -> web.Response:
    """Kill the connection at once; what is returned can no longer be written."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
