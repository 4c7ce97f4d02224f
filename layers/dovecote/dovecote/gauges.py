"""Read what alarms look at: how old, how bad and how paused the queue is."""

from collections.abc import Mapping

import msgspec

from dovecote.ports import Log, Store, StoreError, StoreUnavailable

RETURN_SECONDS = 0.25
"""What a function needs to emit them and return before it is ended."""


class ReadGauges:
    """The gauges at the end of a run, or none: what is missing raises an alarm by itself."""

    def __init__(self, *, store: Store, log: Log) -> None:
        self._store = store
        self._log = log

    def __call__(self, seconds: float) -> Mapping[str, float]:
        """Return the gauges by name, read within so many seconds."""
        left = seconds - RETURN_SECONDS
        try:
            if left <= 0:
                raise StoreUnavailable("no time is left")
            with self._store.within(left):
                return msgspec.structs.asdict(self._store.gauges())
        except StoreError as error:
            self._log.warning("gauges not read", error=str(error))
            return {}
