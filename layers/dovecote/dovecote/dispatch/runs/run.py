"""Run: what a run of dispatch does, by what began it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from dovecote.dispatch.dispatch import Dispatch
from dovecote.dispatch.runs.woken_run import SOURCE, WokenRun
from dovecote.dispatch.timing import TimeLeft

SCHEDULE = "schedule"
"""The source in the schedule's event."""


class Run:
    """Any run. Only a scheduled run calls further dispatchers, only a woken one runs twice."""

    def __init__(
        self, *, dispatch: Dispatch, scale_out: Callable[[], int], woken_run: WokenRun
    ) -> None:
        self._dispatch = dispatch
        self._scale_out = scale_out
        self._woken_run = woken_run

    def __call__(self, source: str, time_left: TimeLeft) -> dict[str, int]:
        """Dispatch until nothing is due or the time left covers no send; return the tally."""
        if source == SCHEDULE:
            # The run does not wait for the calls.
            with ThreadPoolExecutor(max_workers=1) as executor:
                executor.submit(self._scale_out)
                return self._dispatch(time_left)
        if source == SOURCE:
            return self._woken_run(time_left)
        return self._dispatch(time_left)
