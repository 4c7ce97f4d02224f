"""Read what alarms look at: how old, how bad and how paused the queue is."""

from collections.abc import Mapping

import msgspec

from dovecote.core.errors import StoreError, StoreUnavailable
from dovecote.core.ports import Log
from dovecote.dispatch.ports import Store


class Gauges(msgspec.Struct, frozen=True, kw_only=True):
    """What alarms look at.

    `oldest_due_seconds` is the age of the oldest live route since it was first due, behind a pause
    too. `waiting_routes` counts the routes behind any pause, `dead_letters_hour` the open dead
    letters of the last hour, both up to 10,000. `paused_resources` counts channels, identities,
    applications and topics; a channel that is paused as a whole is a 1.
    """

    oldest_due_seconds: float
    waiting_routes: int
    dead_letters_hour: int
    paused_resources: int
    email_paused: int
    push_paused: int


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
