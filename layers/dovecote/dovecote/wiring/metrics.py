"""The metrics of a function, as lines of its log in CloudWatch's embedded metric format."""

from __future__ import annotations

import random
import time
from functools import cache
from typing import TYPE_CHECKING

from dovecote.wiring import logs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dovecote.aws.measurements import Measurements, Values
    from dovecote.operations.gauges import Gauges

EMIT_SECONDS = 60
"""Submit emits metrics at most once in this time: a line per request would cost too much."""


@cache
def measurements() -> Measurements:
    """Return the measurements of this function's deliveries."""
    from dovecote.aws.measurements import Measurements

    return Measurements(now=time.time, sample=random.sample)


def emit_run(tally: Mapping[str, int], gauges: Gauges | None) -> None:
    """Emit a run's tally and gauges in one line of the log, and one line for each channel."""
    from dovecote.aws.measurements import with_pauses

    totals = {} if gauges is None else gauges.totals
    _emit({name: [value] for name, value in {**tally, **totals}.items()})
    taken = measurements().take()
    _emit_by_channel(taken if gauges is None else with_pauses(taken, gauges.paused_channels))


def emit_deliveries() -> None:
    """Emit the measurements of submit's deliveries, at most once in EMIT_SECONDS."""
    if measurements().age >= EMIT_SECONDS:
        _emit_by_channel(measurements().take())


def _emit_by_channel(measured: Mapping[str, Values]) -> None:
    for channel, values in measured.items():
        _emit(values, channel)


def _emit(values: Values, channel: str | None = None) -> None:
    """Emit metrics in one line of the log, with the dimension `channel` where one is given."""
    from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

    metrics = EphemeralMetrics(namespace="Dovecote", service=logs.service_name())
    if channel is not None:
        metrics.add_dimension(name="channel", value=channel)
    for name, several in values.items():
        unit = MetricUnit.Seconds if name.endswith("_seconds") else MetricUnit.Count
        for value in several:
            metrics.add_metric(name=name, unit=unit, value=value)
    for key, named in logs.keys().items():
        metrics.add_metadata(key=key, value=named)
    metrics.flush_metrics()
