"""Run: what a run of dispatch does beside dispatching, by what began it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from dovecote.dispatch import woken_run
from dovecote.dispatch.dispatch import Dispatch, TimeLeft
from dovecote.dispatch.woken_run import WokenRun

SCHEDULE = "schedule"
"""What the schedule's event says it comes from."""


class Run:
    """Any run; one that was begun by hand, or by another run, does no more than dispatch."""

    def __init__(
        self, *, dispatch: Dispatch, scale_out: Callable[[], int], take_over: WokenRun
    ) -> None:
        self._dispatch = dispatch
        self._scale_out = scale_out
        self._take_over = take_over

    def __call__(self, source: str, time_left: TimeLeft) -> dict[str, int]:
        """Dispatch until nothing is due or the time left covers no send; return the tally."""
        if source == SCHEDULE:
            # Beside the run, which waits for no call.
            with ThreadPoolExecutor(max_workers=1) as executor:
                executor.submit(self._scale_out)
                return self._dispatch(time_left)
        if source == woken_run.SOURCE:
            return self._take_over(time_left)
        return self._dispatch(time_left)
