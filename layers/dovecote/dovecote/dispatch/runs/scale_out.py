"""Scale out: call further dispatchers for a backlog that one cannot deliver before the next run."""

from dovecote.core.ports import Clock, Invoke, Log, TimeLimits
from dovecote.dispatch.ports import Backlogs
from dovecote.dispatch.runs import scale

SCALE_SECONDS = 5.0
"""How long the calls may take in all; the run goes on meanwhile."""

SOURCE = "dispatch"
"""The source in the event of a called dispatcher, which calls no others."""


class ScaleOut:
    """Calls dispatchers for the backlog that a scheduled run finds."""

    def __init__(
        self,
        *,
        backlogs: Backlogs,
        limits: TimeLimits,
        invoke: Invoke,
        clock: Clock,
        log: Log,
        run: int,
        most: int,
    ) -> None:
        self._backlogs = backlogs
        self._limits = limits
        self._invoke = invoke
        self._clock = clock
        self._log = log
        self._run = run
        self._most = most

    def __call__(self) -> int:
        """Call as many dispatchers as the backlog needs; return how many were called.

        An error ends it with a warning: fewer dispatchers cost time, and nothing else.
        """
        if self._most == 1:
            return 0
        until = self._clock() + SCALE_SECONDS
        called = 0
        try:
            wanted = self._wanted()
            while called < wanted and self._clock() < until:
                self._invoke(SOURCE)
                called += 1
        except Exception as error:  # noqa: BLE001 - the run goes on after any error
            self._log.warning("dispatchers not called", called=called, error=str(error))
        return called

    def _wanted(self) -> int:
        with self._limits.within(SCALE_SECONDS):
            backlogs = self._backlogs.backlog(scale.bound(self._run, self._most))
        wanted = scale.further(backlogs, run=self._run, most=self._most)
        if wanted:
            due = {one.channel: one.due for one in backlogs}
            self._log.info("backlog calls for dispatchers", wanted=wanted, **due)
        return wanted
