"""The function of an hourly schedule: delete what is kept no longer."""

from typing import Any

from dovecote import wiring


def handler(_event: Any, context: Any) -> dict[str, int]:
    """Purge until nothing is left to or the time is up; return the tally."""

    def left() -> float:
        return float(context.get_remaining_time_in_millis() / 1000)

    wiring.log_of(context)
    return wiring.purge()(left)
