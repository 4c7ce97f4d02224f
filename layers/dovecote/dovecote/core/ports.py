"""Interfaces that every package needs: clock, sleep, log, spans, the call of dispatch."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol


class NotInvoked(Exception):
    """The function was not called, or its answer was lost."""


Invoke = Callable[[str], None]
"""Begins a run of dispatch with this source in its event, without waiting; raises NotInvoked."""


class Span(Protocol):
    """Opens a span by name that continues a traceparent, or is linked to several."""

    def __call__(self, name: str, /, *traceparents: str | None) -> AbstractContextManager[None]:
        """Return what runs a block in the span."""


class TimeLimits(Protocol):
    """Bounds the time that the calling thread spends in the database."""

    def within(self, seconds: float) -> AbstractContextManager[None]:
        """Bound all queries of this thread in the context together, from now on."""

    def spending(self, seconds: float) -> AbstractContextManager[None]:
        """Bound the time that this thread spends in queries in the context.

        The time between queries does not count.
        """


Clock = Callable[[], float]
"""A clock that only goes forward, in seconds. The database's clock decides what is due."""

Sleep = Callable[[float], None]
"""Waits for so many seconds."""


class Log(Protocol):
    """A structured log: a message and its fields."""

    def debug(self, message: str, /, **fields: Any) -> None:
        """Log for someone who looks closely."""

    def info(self, message: str, /, **fields: Any) -> None:
        """Log what happened."""

    def warning(self, message: str, /, **fields: Any) -> None:
        """Log what needs attention."""

    def error(self, message: str, /, **fields: Any) -> None:
        """Log what failed."""
