"""Delete records past their retention, by an hourly schedule."""

from typing import Any

from dovecote.aws import events
from dovecote.core.problems import Malformed
from dovecote.wiring import observability, purge


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Purge until nothing is left or the time is up; return the tally."""
    try:
        events.scheduled(event)
    except Malformed as malformed:
        return malformed.document()

    def left() -> float:
        return float(context.get_remaining_time_in_millis() / 1000)

    observability.start_log(context)
    return purge.purge()(left)
