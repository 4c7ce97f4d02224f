"""Scale out: call further dispatchers for a backlog that one cannot deliver before the next run.

    needed of a channel = due routes, but no more than its rate lets through / what one run delivers
    further             = the most that a channel needs, at most MAX_DISPATCHERS, less this one

With the defaults one run delivers 32 / 0.25 s x 60 s = 7,680 routes of each channel, so 7,681 due
routes of a channel without a rate need a second dispatcher. At 14 a second a run sends 840, and
more dispatchers would not help.
"""

import math
from collections.abc import Iterable

from msgspec import Struct, field

from dovecote.core.channel_state import Backlog
from dovecote.core.ports import Clock, Invoke, Log, TimeLimits
from dovecote.dispatch.cursors import LaneCursors
from dovecote.dispatch.ports import DispatchStore

SCALE_SECONDS = 5.0
"""How long the calls may take in all; the run goes on meanwhile."""

SOURCE = "dispatch"
"""The source in the event of a called dispatcher, which calls no others."""

RUN_SECONDS = 60.0
"""The part of a run that counts: the next scheduled one starts a minute later."""

SEND_SECONDS = 0.25
"""The assumed duration of a send to SES or SNS, with its share of all else.

An answer takes about 0.1 s. A send to SES was measured at 1.3 ms of CPU, and 512 MB have 0.29 of a
CPU: 32 sends at once, 128 a second, are within that even on a CPU half as fast.
"""


class ScaleOut(Struct, kw_only=True):
    """Calls dispatchers for the backlog that a scheduled run finds.

    `cursors` are those of the gauges, before which no route is live.
    """

    backlogs: DispatchStore
    limits: TimeLimits
    invoke: Invoke
    clock: Clock
    log: Log
    run: int
    most: int
    cursors: LaneCursors = field(default_factory=LaneCursors)

    def __call__(self) -> int:
        """Call as many dispatchers as the backlog needs; return how many were called.

        An error ends it with a warning: fewer dispatchers cost time, and nothing else.
        """
        if self.most == 1:
            return 0
        until = self.clock() + SCALE_SECONDS
        called = 0
        try:
            wanted = self._wanted()
            while called < wanted and self.clock() < until:
                self.invoke(SOURCE)
                called += 1
        except Exception as error:  # noqa: BLE001 - the run goes on after any error
            self.log.warning("dispatchers not called", called=called, error=str(error))
        return called

    def _wanted(self) -> int:
        with self.limits.within(SCALE_SECONDS):
            backlogs = self.backlogs.backlog(bound(self.run, self.most), self.cursors)
        wanted = further(backlogs, run=self.run, most=self.most)
        if wanted:
            due = {one.channel: one.due for one in backlogs}
            self.log.info("backlog calls for dispatchers", wanted=wanted, **due)
        return wanted


def one_run(concurrency: int) -> int:
    """Return how many routes of a channel one run delivers, with so many sends at once."""
    return math.ceil(concurrency / SEND_SECONDS * RUN_SECONDS)


def bound(run: int, most: int) -> int:
    """Return how far a backlog need be counted: one more than all but the last can deliver."""
    return run * (most - 1) + 1


def further(backlogs: Iterable[Backlog], *, run: int, most: int) -> int:
    """Return how many dispatchers to call in addition to this one, of `most` in all.

    A dispatcher works on all channels at once, so the channel that needs most decides.
    """
    needed = [math.ceil(_sendable(backlog) / run) for backlog in backlogs]
    return max(0, min(max(needed, default=0), most) - 1)


def _sendable(backlog: Backlog) -> float:
    """Return what can be sent of a backlog in a run: more workers share one rate."""
    if backlog.rate is None:
        return backlog.due
    return min(backlog.due, backlog.rate * RUN_SECONDS)
