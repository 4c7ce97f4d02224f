"""The schedules of the local stack, whose minutes may be shorter."""

import asyncio
from collections import Counter

from local.schedule import firing
from local.template import Schedule


def a_schedule(expression: str) -> Schedule:
    return Schedule(name=expression, function="EchoFunction", expression=expression, input="{}")


def test_a_tick_is_a_minute_of_every_schedule() -> None:
    fired: Counter[str] = Counter()
    schedules = [a_schedule("rate(1 minute)"), a_schedule("rate(1 hour)")]

    async def scenario() -> None:
        def fire(schedule: Schedule) -> None:
            fired[schedule.expression] += 1

        async with firing(schedules, fire, tick_seconds=0.01):
            while not fired["rate(1 hour)"]:
                await asyncio.sleep(0.005)

    asyncio.run(scenario())
    assert fired["rate(1 minute)"] >= 59
