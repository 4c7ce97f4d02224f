"""Wake dispatch up for what submit did not deliver at once, instead of waiting for the schedule.

At most one call a second for the whole stack, and none while a woken run works: that run looks
again at the end of its second. A lost call costs the wait for the schedule.
"""

from collections.abc import Collection
from concurrent.futures import Executor, wait

from dovecote.core.errors import StoreError
from dovecote.core.ports import Clock, Invoke, Log, TimeLimits
from dovecote.dispatch.ports import WOKEN
from dovecote.submit.ports import WakeUpRights

WAKE_UP_SECONDS = 0.5
"""How long a producer waits for it at most, within submit's budget."""


class WakeUp:
    """Submit's side: call dispatch, unless another caller has the right to."""

    def __init__(
        self,
        *,
        rights: WakeUpRights,
        limits: TimeLimits,
        invoke: Invoke,
        executor: Executor,
        clock: Clock,
        log: Log,
    ) -> None:
        self._rights = rights
        self._limits = limits
        self._invoke = invoke
        self._executor = executor
        self._clock = clock
        self._log = log

    def __call__(self, channels: Collection[str], seconds: float) -> None:
        """Call dispatch for routes of these channels; take no longer than so many seconds.

        A thread makes the call, since neither a DNS lookup nor the creation of a client has a
        timeout. A call that takes longer goes on in its thread.
        """
        ends = self._clock() + min(seconds, WAKE_UP_SECONDS)
        try:
            with self._limits.within(ends - self._clock()):
                taken = self._rights.wake_up(sorted(channels))
        except StoreError as error:
            self._log.warning("dispatch not woken up", error=str(error))
            return
        if taken:
            called = self._executor.submit(self._call)
            wait([called], timeout=max(0.0, ends - self._clock()))

    def _call(self) -> None:
        try:
            self._invoke(WOKEN)
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is 202
            self._log.warning("dispatch not woken up", error=str(error))
