"""The buttons that break things, and the one that mends them all."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local import LocalError
from local.provider import Acceptance, Fault, Order
from local.provider.ledger import Row
from local.stack import Stack

PAUSE_SECONDS = 10
DISPATCH = "DispatchFunction"
# The worker that has sent this many of a batch is killed.
SENT_BEFORE_THE_KILL = 3
KILL = "kill-worker"
STOP = "stop-postgres"


@dataclass(frozen=True, kw_only=True)
class Break:
    """One button."""

    title: str
    about: str
    order: Order | None = None  # for the provider


BREAKS: Mapping[str, Break] = {
    "throttle-ses": Break(
        title="Throttle SES",
        about="SES throttles each email: email slows down, then pauses, until mended.",
        order=Order(do=Fault.THROTTLE, service="ses"),
    ),
    "one-in-three": Break(
        title="Fail one send in three",
        about="SES and SNS answer 500, until mended.",
        order=Order(
            do=Fault.ERROR,
            rate=1 / 3,
            status=500,
            code="InternalFailure",
            message="The simulated provider has a fault",
        ),
    ),
    # So few that no route can lose the replies to all of its attempts: of what was accepted each
    # time and never heard of, nobody could know.
    "lose-replies": Break(
        title="Lose the next three replies",
        about="Accepted, and not heard of: sent twice.",
        order=Order(do=Fault.CLOSE_AFTER_ACCEPTING, times=3),
    ),
    "stall": Break(
        title="Stall",
        about="Answers take five seconds, until mended.",
        order=Order(do=Fault.STALL, seconds=5),
    ),
    KILL: Break(
        title="Kill the worker in mid-batch",
        about="Sends a batch; SIGKILL at its third send.",
    ),
    STOP: Break(
        title="Stop PostgreSQL for 10 s",
        about="A post gets a 503; what is stored waits.",
    ),
}


class Breaks:
    """What is broken now."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._orders: dict[str, str] = {}  # the order's id by the button's name
        self._sent: int | None = None  # sends of the worker that is to be killed, if one is
        stack.provider.ledger.listeners.append(self._watch)

    async def press(self, name: str) -> None:
        """Break something; once more does nothing more. Raises LocalError."""
        wanted = BREAKS[name]
        if wanted.order is not None:
            await self.release(name)
            self._orders[name] = self._stack.provider.give(wanted.order)[0].id
        elif name == KILL:
            self._sent = 0
        elif self._stack.keeper is None:
            raise LocalError("PostgreSQL is yours (DATABASE_URL), and not stopped from here.")
        else:
            await self._stack.keeper.pause(PAUSE_SECONDS)

    async def release(self, name: str) -> None:
        """Mend one thing."""
        if BREAKS[name].order is not None:
            self._stack.provider.withdraw(self._orders.pop(name, "none"))
        elif name == KILL:
            self._sent = None
        elif self._stack.keeper is not None:
            self._stack.keeper.resume()

    async def release_all(self) -> None:
        """Mend everything, and withdraw what others ordered of the provider."""
        for name in BREAKS:
            await self.release(name)
        self._stack.provider.withdraw()

    def state(self) -> list[dict[str, Any]]:
        """Return each button, and whether it is pressed."""
        return [
            {
                "name": name,
                "title": one.title,
                "about": one.about,
                "on": self._on(name),
                "used": self._used(name),
                "stands": one.order is not None,
            }
            for name, one in BREAKS.items()
        ]

    def _on(self, name: str) -> bool:
        if name == KILL:
            return self._sent is not None
        if name == STOP:
            return self._stack.keeper is not None and self._stack.keeper.paused_for > 0
        return any(
            one.id == self._orders.get(name) and not one.over for one in self._stack.provider.orders
        )

    def _used(self, name: str) -> int:
        ids = self._orders.get(name)
        return sum(one.used for one in self._stack.provider.orders if one.id == ids)

    def _watch(self, row: Row | None) -> None:
        if self._sent is None or not isinstance(row, Acceptance):
            return
        # Submit sends too, and goes on to.
        self._sent += self._stack.runtime.busy(DISPATCH) > 0
        if self._sent >= SENT_BEFORE_THE_KILL:
            self._stack.runtime.strike(DISPATCH)
            self._sent = None
