"""The function of the schedule, of submit and of itself: claim what is due, and deliver it."""

from typing import Any

from dovecote import wiring
from dovecote.aws import events
from dovecote.core.problems import Malformed


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Dispatch until nothing is due or the time is up; return the tally."""
    try:
        source = events.source(event)
    except Malformed as malformed:
        return malformed.document()

    def left() -> float:
        return float(context.get_remaining_time_in_millis() / 1000)

    log = wiring.log_of(context)
    with wiring.traced(context, "notification.dispatch"):
        tally = wiring.run()(source, left)
        log.info("dispatched", **tally)
        wiring.measure(tally, wiring.gauges()(left()))
    return tally
