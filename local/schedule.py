"""Fires the template's schedules."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from local.template import Schedule, TemplateError

UNITS = {"minute": 60, "hour": 3600, "day": 86400}


def period(expression: str) -> float:
    """Return the seconds of a rate expression."""
    match = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    if match is None:
        raise TemplateError(f"the local stack fires rate(...) only, not {expression}")
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
    async with AsyncExitStack() as stack:
        for schedule, seconds in periods:
            task = asyncio.create_task(_fire(schedule, seconds, fire))
            stack.push_async_callback(_cancel, task)
        yield


async def _fire(schedule: Schedule, seconds: float, fire: Callable[[Schedule], None]) -> None:
    clock = asyncio.get_running_loop().time
    due = clock() + seconds
    while True:
        await asyncio.sleep(max(0.0, due - clock()))
        fire(schedule)
        due += seconds


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
