"""Claim and deliver due routes, for the schedule, submit and dispatch itself."""

from typing import Any

from dovecote.aws import events
from dovecote.core.problems import Malformed
from dovecote.wiring import dispatch, logs, metrics, tracing


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Dispatch until nothing is due or the time is up; return the tally."""
    try:
        source = events.source(event)
    except Malformed as malformed:
        return malformed.document()

    def left() -> float:
        return float(context.get_remaining_time_in_millis() / 1000)

    log = logs.start(context)
    with tracing.traced(context, "notification.dispatch"):
        tally = dispatch.run()(source, left)
        log.info("dispatched", **tally)
        metrics.emit_run(tally, dispatch.gauges()(left()))
    return tally
