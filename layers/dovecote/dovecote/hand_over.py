"""Hand over: dispatch is called for what submit did not deliver at once, instead of in a minute.

One call a second for the whole stack, and none while a called run is at work: that one looks again
when its second is over, for all who could not call meanwhile. A call that is lost costs the wait.
"""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor, wait

from dovecote.ports import Clock, Invoke, Log, Sleep, Store, StoreError

HAND_OVER_SECONDS = 0.5
"""The most that a producer waits for it, of what is left of submit's budget."""

SECOND = 1.0
"""How often dispatch is called at most; hand_over.sql has it too."""

SOURCE = "submit"
"""What a run that was called so is told it comes from."""

Run = Callable[[Callable[[], float]], dict[str, int]]
"""Dispatches until nothing is due or the time that is left is over; returns the tally."""


class HandOver:
    """Submit's side: call dispatch, if it is nobody else's to call."""

    def __init__(
        self, *, store: Store, invoke: Invoke, executor: Executor, clock: Clock, log: Log
    ) -> None:
        self._store = store
        self._invoke = invoke
        self._executor = executor
        self._clock = clock
        self._log = log

    def __call__(self, channels: Collection[str], seconds: float) -> None:
        """Call dispatch for routes of these channels; take no longer than so many seconds.

        The call is made in a thread, since neither the look-up of a name nor the making of a client
        has a timeout. Where it is not over by then, it goes on by itself.
        """
        ends = self._clock() + min(seconds, HAND_OVER_SECONDS)
        try:
            with self._store.within(ends - self._clock()):
                taken = self._store.hand_over(sorted(channels))
        except StoreError as error:
            self._log.warning("notification not handed over", error=str(error))
            return
        if taken:
            called = self._executor.submit(self._call)
            wait([called], timeout=max(0.0, ends - self._clock()))

    def _call(self) -> None:
        try:
            self._invoke(SOURCE)
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is 202
            self._log.warning("notification not handed over", error=str(error))


class TakeOver:
    """Dispatch's side: run, and look again for who could not call meanwhile."""

    def __init__(self, *, store: Store, dispatch: Run, sleep: Sleep, log: Log) -> None:
        self._store = store
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
        """Have nobody call for so long; where that is not written down, one more may come."""
        try:
            self._store.keep_handover(seconds)
        except StoreError as error:
            self._log.warning("handover not kept", error=str(error))


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: count + other[name] for name, count in one.items()}
