"""Runs of dispatch: what each kind of run does."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from msgspec import Struct

from dovecote.core.errors import StoreError
from dovecote.core.ports import Log, Sleep
from dovecote.dispatch.ports import WOKEN, DispatchStore
from dovecote.dispatch.services import TimeLeft

SCHEDULE = "schedule"
"""The source in the schedule's event."""

SECOND = 1.0
"""How often submit calls dispatch at most; wake_up.sql has the same number."""

Dispatches = Callable[[TimeLeft], dict[str, int]]
"""Dispatches until nothing is due or the time that is left is over; returns the tally."""


class WokenRun(Struct, kw_only=True):
    """Runs dispatch, and once more for submits that could not call it meanwhile."""

    wake_ups: DispatchStore
    dispatch: Dispatches
    sleep: Sleep
    log: Log

    def __call__(self, time_left: TimeLeft) -> dict[str, int]:
        """Dispatch twice, a second apart; return the tally of both."""
        self._keep(time_left())
        first = self.dispatch(time_left)
        self._keep(SECOND)
        if time_left() <= SECOND or first["interrupted"]:
            return first
        self.sleep(SECOND)
        second = self.dispatch(time_left)
        return {name: count + second[name] for name, count in first.items()}

    def _keep(self, seconds: float) -> None:
        """Keep submits from calling for so long; if the store fails, one more call may come."""
        try:
            self.wake_ups.hold_wake_up(seconds)
        except StoreError as error:
            self.log.warning("handover not kept", error=str(error))


class Run(Struct, kw_only=True):
    """Any run. Only a scheduled run calls further dispatchers, only a woken one runs twice."""

    dispatch: Dispatches
    scale_out: Callable[[], int]
    woken_run: WokenRun

    def __call__(self, source: str, time_left: TimeLeft) -> dict[str, int]:
        """Dispatch until nothing is due or the time left covers no send; return the tally."""
        if source == SCHEDULE:
            # The run does not wait for the calls.
            with ThreadPoolExecutor(max_workers=1) as executor:
                executor.submit(self.scale_out)
                return self.dispatch(time_left)
        return self.woken_run(time_left) if source == WOKEN else self.dispatch(time_left)
