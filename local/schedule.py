"""Fires the template's schedules."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from local import LocalError, in_background
from local.template import Schedule

UNITS = {"minute": 60, "hour": 3600, "day": 86400}


def period(expression: str) -> float:
    """Return the seconds of a rate expression."""
    match = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    if match is None:
        raise LocalError(f"the local stack fires rate(...) only, not {expression}")
    return float(match[1]) * UNITS[match[2]]


@asynccontextmanager
async def firing(
    schedules: Iterable[Schedule],
    fire: Callable[[Schedule], None],
    *,
    tick_seconds: float | None = None,
) -> AsyncIterator[None]:
    """Fire each schedule at its rate, with minutes of `tick_seconds`, while the context lasts."""
    minute = UNITS["minute"] if tick_seconds is None else tick_seconds
    periods = [
        (schedule, period(schedule.expression) * minute / UNITS["minute"]) for schedule in schedules
    ]
    async with in_background(*(_fire(schedule, seconds, fire) for schedule, seconds in periods)):
        yield


async def _fire(schedule: Schedule, seconds: float, fire: Callable[[Schedule], None]) -> None:
    clock = asyncio.get_running_loop().time
    due = clock() + seconds
    while True:
        await asyncio.sleep(max(0.0, due - clock()))
        fire(schedule)
        due += seconds
