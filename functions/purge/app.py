"""The function of an hourly schedule: delete what is kept no longer."""

from typing import Any

from dovecote import wiring
from dovecote.aws import events
from dovecote.core.problems import Malformed


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Purge until nothing is left to or the time is up; return the tally."""
    try:
        events.scheduled(event)
    except Malformed as malformed:
        return malformed.document()

    def left() -> float:
        return float(context.get_remaining_time_in_millis() / 1000)

    wiring.log_of(context)
    return wiring.purge()(left)
