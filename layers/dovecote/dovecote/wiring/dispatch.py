"""The use cases of functions/dispatch."""

from __future__ import annotations

import random
import time
import uuid
from functools import cache
from typing import TYPE_CHECKING

from dovecote.wiring import clients, delivery
from dovecote.wiring.database import database, dispatch_store
from dovecote.wiring.logs import log
from dovecote.wiring.settings import load

if TYPE_CHECKING:
    from dovecote.dispatch.dispatch import Dispatch
    from dovecote.dispatch.runs.run import Run
    from dovecote.dispatch.runs.scale_out import ScaleOut
    from dovecote.operations.gauges import ReadGauges
    from dovecote.wiring.settings import Settings


@cache
def dispatch() -> Dispatch:
    """Return the dispatch use case."""
    from dovecote.dispatch.dispatch import Dispatch
    from dovecote.dispatch.rates import Rates
    from dovecote.dispatch.services import Services
    from dovecote.dispatch.timing import Timing

    settings = load()
    channels = delivery.channels(settings)
    return Dispatch(
        Services(
            store=dispatch_store(),
            channels=channels,
            deliver=delivery.deliver(settings, channels),
            finaliser=delivery.finaliser(channels),
            rates=Rates(store=dispatch_store(), channels=channels, log=log()),
            clock=time.monotonic,
            sleep=time.sleep,
            random=random.random,
            log=log(),
            new_id=uuid.uuid4,
            timing=Timing(
                batch_size=settings.dispatch_batch_size,
                lease_seconds=settings.lease_seconds,
                send_seconds=settings.send_seconds,
            ),
        )
    )


@cache
def run() -> Run:
    """Return a run of dispatch: the use case, and its part that depends on the invoker."""
    from dovecote.dispatch.runs.run import Run
    from dovecote.dispatch.runs.woken_run import WokenRun
    from dovecote.store.dispatch.wake_up import PostgresWakeUps

    woken_run = WokenRun(
        wake_ups=PostgresWakeUps(database()), dispatch=dispatch(), sleep=time.sleep, log=log()
    )
    return Run(dispatch=dispatch(), scale_out=_scale_out(load()), woken_run=woken_run)


def _scale_out(settings: Settings) -> ScaleOut:
    from dovecote.dispatch.runs import scale
    from dovecote.dispatch.runs.scale_out import ScaleOut
    from dovecote.store.dispatch.wake_up import PostgresBacklogs

    return ScaleOut(
        backlogs=PostgresBacklogs(database()),
        limits=database(),
        invoke=clients.invoke_dispatch(settings),
        clock=time.monotonic,
        log=log(),
        run=scale.one_run(settings.dispatch_concurrency),
        # Without a function to invoke, this run is the only one.
        most=settings.max_dispatchers if settings.dispatch_function else 1,
    )


@cache
def gauges() -> ReadGauges:
    """Return the use case of the gauges, which alarms watch."""
    from dovecote.operations.gauges import ReadGauges
    from dovecote.store.operations.gauges import PostgresGauges

    return ReadGauges(store=PostgresGauges(database()), limits=database(), log=log())
