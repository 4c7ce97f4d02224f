"""A run that submit woke up."""

from collections.abc import Callable, Mapping

from dovecote.core.errors import StoreError
from dovecote.core.ports import Log, Sleep
from dovecote.dispatch.ports import WakeUpHolds

SECOND = 1.0
"""How often submit calls dispatch at most; wake_up.sql has the same number."""

SOURCE = "submit"
"""The source in the event of a run that submit called."""

Run = Callable[[Callable[[], float]], dict[str, int]]
"""Dispatches until nothing is due or the time that is left is over; returns the tally."""


class WokenRun:
    """Runs dispatch, and once more for submits that could not call it meanwhile."""

    def __init__(self, *, wake_ups: WakeUpHolds, dispatch: Run, sleep: Sleep, log: Log) -> None:
        self._wake_ups = wake_ups
        self._dispatch = dispatch
        self._sleep = sleep
        self._log = log

    def __call__(self, time_left: Callable[[], float]) -> dict[str, int]:
        """Dispatch twice, a second apart; return the tally of both."""
        self._keep(time_left())
        first = self._dispatch(time_left)
        self._keep(SECOND)
        if time_left() <= SECOND or first["interrupted"]:
            return first
        self._sleep(SECOND)
        return _sum(first, self._dispatch(time_left))

    def _keep(self, seconds: float) -> None:
        """Keep submits from calling for so long; if the store fails, one more call may come."""
        try:
            self._wake_ups.hold_wake_up(seconds)
        except StoreError as error:
            self._log.warning("handover not kept", error=str(error))


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: count + other[name] for name, count in one.items()}
