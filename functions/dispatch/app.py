"""The schedule's function: claim what is due, deliver it, write down what happened."""

from typing import Any

from dovecote import wiring


def handler(_event: dict[str, Any], context: Any) -> dict[str, int]:
    """Dispatch until nothing is due or the time is up; return the tally."""

    def left() -> float:
        return float(context.get_remaining_time_in_millis() / 1000)

    log = wiring.log_of(context)
    tally = wiring.dispatch()(left)
    log.info("dispatched", **tally)
    wiring.measure(tally, wiring.gauges()(left()))
    return tally
