"""The metrics of a function, as lines of its log in CloudWatch's embedded metric format."""

from __future__ import annotations

import random
import time
from functools import cache
from typing import TYPE_CHECKING

from dovecote.wiring import logs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dovecote.aws.measurements import Measurements

EMIT_SECONDS = 60
"""Submit emits metrics at most once in this time: a line per request would cost too much."""


@cache
def measurements() -> Measurements:
    """Return the measurements of this function's deliveries."""
    from dovecote.aws.measurements import Measurements

    return Measurements(now=time.time, sample=random.sample)


def emit_run(tally: Mapping[str, int], gauges: Mapping[str, float]) -> None:
    """Emit a run's tally, the gauges and the measurements, in one line of the log."""
    single = {name: [value] for name, value in {**tally, **gauges}.items()}
    _emit({**single, **measurements().take()})


def emit_deliveries() -> None:
    """Emit the measurements of submit's deliveries, at most once in EMIT_SECONDS."""
    if measurements().age >= EMIT_SECONDS and (taken := measurements().take()):
        _emit(taken)


def _emit(values: Mapping[str, Sequence[float]]) -> None:
    from aws_lambda_powertools import Metrics
    from aws_lambda_powertools.metrics import MetricUnit

    metrics = Metrics(namespace="Dovecote", service=logs.service_name())
    for name, several in values.items():
        unit = MetricUnit.Seconds if name.endswith("_seconds") else MetricUnit.Count
        for value in several:
            metrics.add_metric(name=name, unit=unit, value=value)
    for key, named in logs.keys().items():
        metrics.add_metadata(key=key, value=named)
    metrics.flush_metrics()
