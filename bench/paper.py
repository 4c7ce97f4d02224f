"""How many dispatchers a backlog needs: scale_out.py on paper, minute by minute."""

import math

from bench.report import Table
from dovecote.core.channel_state import Backlog
from dovecote.dispatch import scale_out
from dovecote.wiring.settings import Settings

DEFAULTS = Settings(database_url="postgresql:///")
BACKLOGS = (1_000, 7_680, 7_681, 20_000, 100_000, 1_000_000)
MOST = (2, 8, 32)
RATES = (14, 500, 5_000)


def table() -> Table:
    """Return what is called for some backlogs, by the defaults but for MAX_DISPATCHERS."""
    run = scale_out.one_run(DEFAULTS.dispatch_concurrency)
    return Table(
        title="Dispatchers for a backlog, on paper",
        note=f"By dispatch/scale_out.py, which takes {run:,} routes of a channel for what one run"
        " delivers in its minute: dispatchers in the first minute, the scheduled one included, and"
        " the minutes until nothing is due. The emails are for MAX_DISPATCHERS 32, at what SES"
        " lets through a second.",
        columns=(
            *(f"pushes, MAX_DISPATCHERS {most}" for most in MOST),
            *(f"emails at {rate:,} a second" for rate in RATES),
        ),
        rows={
            f"{due:,} due": [
                *(_cell(due, None, run, most) for most in MOST),
                *(_cell(due, rate, run, MOST[-1]) for rate in RATES),
            ]
            for due in BACKLOGS
        },
    )


def drained(due: int, rate: float | None, *, run: int, most: int) -> list[int]:
    """Return how many dispatchers there are in each minute until nothing is due."""
    minutes = []
    while due > 0:
        counted = min(due, scale_out.bound(run, most))
        backlog = Backlog(channel="push", due=counted, rate=rate)
        minutes.append(1 + scale_out.further([backlog], run=run, most=most))
        sent = minutes[-1] * run
        due -= sent if rate is None else min(sent, math.floor(rate * scale_out.RUN_SECONDS))
    return minutes


def _cell(due: int, rate: float | None, run: int, most: int) -> str:
    minutes = drained(due, rate, run=run, most=most)
    return f"{minutes[0]}, {len(minutes):,} min"
