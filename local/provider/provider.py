"""The provider's state, and the one way in which a request to send is carried out."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count

from aiohttp import web

from local.provider.ledger import Acceptance, Email, Ledger, Push, Send
from local.provider.order import REFUSALS, Fault, Order, StandingOrder, draw
from local.provider.protocol import AwsError, ConnectionDies
from local.provider.registry import Registry
from local.provider.simulator import Event, events

THROTTLES = {
    "ses": (429, "TooManyRequestsException", "Maximum sending rate exceeded."),
    "sns": (400, "Throttling", "Rate exceeded"),
}
LINE = (
    Fault.STALL,
    Fault.STALL_AFTER_ACCEPTING,
    Fault.CLOSE_BEFORE_ACCEPTING,
    Fault.CLOSE_AFTER_ACCEPTING,
)
"""What happens to the connection of a call, and so to all of its entries."""

Drawn = Order | AwsError | None
"""What falls on a request to send: an order, or the refusal of one that comes too fast."""


class SendRate:
    """A bucket of tokens, one for each email: `per_second` come in, and it holds a second's worth.

    SES counts recipients; Dovecote has one an email.
    """

    def __init__(self, per_second: float, clock: Callable[[], float]) -> None:
        self.per_second = per_second
        self._clock = clock
        # Less than one a second is a rate too, and needs room for one.
        self._room = max(1.0, per_second)
        self._tokens = self._room
        self._filled_at = clock()

    def admits(self) -> bool:
        """Take a token, if there is one."""
        now = self._clock()
        # A clock that was set back brings nothing and takes nothing.
        come_in = max(0.0, now - self._filled_at) * self.per_second
        self._tokens = min(self._room, self._tokens + come_in)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Provider:
    """An account at AWS: identities, platform applications, topics, orders and the ledger.

    With `strict`, SES sends only from identities that were created, as AWS and moto do. Who is in
    `listeners` receive each event of SES before its request is answered. `orders`
    are those that stand, oldest first.
    """

    def __init__(
        self,
        *,
        strict: bool = False,
        clock: Callable[[], float] = time.time,
        send_rate: float | None = None,
    ) -> None:
        self.strict = strict
        self.clock = clock
        self.identities: set[str] = set()
        self.registry = Registry(clock)
        self.ledger = Ledger()
        self.events: list[Event] = []
        self.listeners: list[Callable[[Event], None]] = []
        self.orders: list[StandingOrder] = []
        self._order_numbers = count(1)
        self._chance = random.Random(0)
        self.send_rate = send_rate

    @property
    def send_rate(self) -> float | None:
        """Return how many emails a second SES takes; None for as many as come."""
        return None if self._send_rate is None else self._send_rate.per_second

    @send_rate.setter
    def send_rate(self, per_second: float | None) -> None:
        self._send_rate = None if per_second is None else SendRate(per_second, self.clock)

    def give(self, *orders: Order) -> list[StandingOrder]:
        """Take orders to fail."""
        given = [
            StandingOrder(id=f"order-{next(self._order_numbers)}", order=order) for order in orders
        ]
        self.orders = [*self.orders, *given]
        return given

    def replace(self, orders: Sequence[Order]) -> list[StandingOrder]:
        """Take these orders in place of all others."""
        self.withdraw()
        return self.give(*orders)

    def withdraw(self, order_id: str | None = None) -> int:
        """Withdraw one order, or all, and return how many there were."""
        kept = [] if order_id is None else [one for one in self.orders if one.id != order_id]
        withdrawn = len(self.orders) - len(kept)
        self.orders = kept
        return withdrawn

    def forget(self) -> None:
        """Empty the ledger and the list of events; identities, devices and orders stay."""
        self.ledger.clear()
        self.events.clear()

    def accept(self, send: Send, message_id: str, content: Email | Push) -> str:
        """Write an acceptance to the ledger, and return the message's id."""
        self.ledger.accept(at=self.clock(), send=send, message_id=message_id, content=content)
        return message_id

    async def carry_out(self, request: web.Request, send: Send, process: Callable[[], str]) -> str:
        """Process a request to send as far as the orders let it, and return its message id.

        `process` validates the request, writes the ledger and returns the message id. Raises
        AwsError for a refusal and ConnectionDies where there will be no answer.
        """
        drawn = self._drawn(send)
        line = _line(drawn)
        (result,) = await self._carried_out(request, [send], [drawn], line, lambda _: process())
        if isinstance(result, AwsError):
            raise result
        return result

    async def carry_out_together(
        self, request: web.Request, sends: Sequence[Send], process: Callable[[int], str]
    ) -> list[str | AwsError]:
        """Process the entries of a bulk call as far as the orders let it.

        Returns a message id or a refusal for each; raises AwsError for a refusal of the call.
        `process` is told the place of the entry.
        """
        whole = self._drawn_for_call(sends)
        drawn = [self._drawn(send, narrow=True) for send in sends]
        line = _line(whole, *drawn)
        return await self._carried_out(
            request, sends, [one or whole for one in drawn], line, process
        )

    def _drawn_for_call(self, sends: Sequence[Send]) -> Order | None:
        """Return the order that falls on a whole call; raise AwsError where that refuses it."""
        targets = tuple(target for send in sends for target in send.targets)
        call = replace(sends[0], targets=targets, tags={})
        order = draw(self.orders, call, self._chance, narrow=False)
        if order is not None and order.do in REFUSALS:
            error = _refusal(call, order)
            self.note(sends, error.code)
            raise error
        return order

    def take_send(self) -> bool:
        """Take one send from the account's rate, as each email does; return whether it may go."""
        return self._send_rate is None or self._send_rate.admits()

    def _drawn(self, send: Send, *, narrow: bool | None = None) -> Drawn:
        """Refuse an email that comes too fast before it could use up an order."""
        if send.service == "ses" and not self.take_send():
            return AwsError(*THROTTLES["ses"])
        order = draw(self.orders, send, self._chance, narrow=narrow)
        return _refusal(send, order) if order is not None and order.do in REFUSALS else order

    async def _carried_out(
        self,
        request: web.Request,
        sends: Sequence[Send],
        drawn: Sequence[Drawn],
        line: Order | None,
        process: Callable[[int], str],
    ) -> list[str | AwsError]:
        """Process what of a call is not refused, with what happens to its connection."""
        if line is not None and line.do is Fault.CLOSE_BEFORE_ACCEPTING:
            self.note(sends, "closed")
            raise ConnectionDies
        if line is not None and line.do is Fault.STALL:
            await self._stall(request, sends, line)
        results = [
            self._processed(send, line or one, process, place)
            if not isinstance(one, AwsError)
            else self._declined(send, one)
            for place, (send, one) in enumerate(zip(sends, drawn, strict=True))
        ]
        if line is not None and line.do is Fault.CLOSE_AFTER_ACCEPTING:
            raise ConnectionDies
        if line is not None and line.do is Fault.STALL_AFTER_ACCEPTING:
            await asyncio.sleep(line.seconds)
        return results

    def note(
        self, sends: Sequence[Send], outcome: str, message_id: str | None = None, *, at: float = 0.0
    ) -> None:
        """Write down how requests to send ended, now or at an earlier time."""
        for send in sends:
            self.ledger.note(
                at=at or self.clock(), send=send, outcome=outcome, message_id=message_id
            )

    async def _stall(self, request: web.Request, sends: Sequence[Send], order: Order) -> None:
        began = self.clock()
        await asyncio.sleep(order.seconds)
        if request.transport is None or request.transport.is_closing():
            self.note(sends, "hung_up", at=began)
            raise ConnectionDies

    def _declined(self, send: Send, error: AwsError) -> AwsError:
        self.note([send], error.code)
        return error

    def _processed(
        self, send: Send, order: Order | None, process: Callable[[int], str], place: int
    ) -> str | AwsError:
        rows = len(self.ledger.accepted)
        try:
            message_id = process(place)
        except AwsError as error:
            return self._declined(send, error)
        accepted = self.ledger.accepted[rows:]
        outcome = "accepted" if accepted else "deduplicated"
        fault = None if order is None else order.do
        if fault is Fault.CLOSE_AFTER_ACCEPTING:
            outcome = "closed_after_accepting"
        self.note([send], outcome, message_id)
        for row in accepted:
            self._publish_events(row, fault)
        return message_id

    def _publish_events(self, row: Acceptance, fault: Fault | None) -> None:
        if row.service != "ses":
            return
        for event in events(row, fault):
            self.events.append(event)
            for listener in self.listeners:
                listener(event)


def _line(*drawn: Drawn) -> Order | None:
    """Return the first order that falls on a connection."""
    orders = (one for one in drawn if isinstance(one, Order))
    return next((one for one in orders if one.do in LINE), None)


def _refusal(send: Send, order: Order) -> AwsError:
    if order.do is Fault.ERROR:
        return AwsError(order.status, order.code, order.message)
    return AwsError(*THROTTLES[send.service])
