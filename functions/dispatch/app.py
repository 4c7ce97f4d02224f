"""Claim and deliver due routes, for the schedule, submit and dispatch itself."""

from typing import Any

from dovecote.aws import events
from dovecote.core.problems import Malformed

# Lambda has more CPU before the first request than for it: `clients` loads psycopg now.
from dovecote.wiring import clients, observability  # noqa: F401


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Dispatch until nothing is due or the time is up; return the tally."""
    try:
        source = events.source(event)
    except Malformed as malformed:
        return malformed.document()

    def left() -> float:
        return float(context.get_remaining_time_in_millis() / 1000)

    log = observability.start_log(context)
    with observability.traced(context, "notification.dispatch"):
        from dovecote.wiring import dispatch  # noqa: PLC0415 - the first event loads it

        tally = dispatch.run()(source, left)
        log.info("dispatched", **tally)
        observability.emit_run(tally, dispatch.gauges()(left()))
    return tally
