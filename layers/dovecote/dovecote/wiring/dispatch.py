"""The use cases of functions/dispatch, which imports this module with its first event."""

import random
import time
import uuid
from functools import cache, partial

from dovecote.dispatch.cursors import LaneCursors
from dovecote.dispatch.dispatch import Dispatch
from dovecote.dispatch.runs import Run, WokenRun
from dovecote.dispatch.scale_out import ScaleOut, one_run
from dovecote.dispatch.services import Rates, Services, Timing
from dovecote.operations.gauges import ReadGauges
from dovecote.store.operations.overview import PostgresOverview
from dovecote.wiring import delivery
from dovecote.wiring.clients import database, invoke_dispatch
from dovecote.wiring.delivery import dispatch_store
from dovecote.wiring.observability import log
from dovecote.wiring.settings import Settings, load


@cache
def dispatch() -> Dispatch:
    """Return the dispatch use case."""
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
    woken_run = WokenRun(
        wake_ups=dispatch_store(), dispatch=dispatch(), sleep=time.sleep, log=log()
    )
    return Run(dispatch=dispatch(), scale_out=_scale_out(load()), woken_run=woken_run)


def _scale_out(settings: Settings) -> ScaleOut:
    return ScaleOut(
        backlogs=dispatch_store(),
        limits=database(),
        invoke=invoke_dispatch(settings.dispatch_function),
        clock=time.monotonic,
        log=log(),
        run=one_run(settings.dispatch_concurrency),
        # Without a function to invoke, this run is the only one.
        most=settings.max_dispatchers if settings.dispatch_function else 1,
        cursors=_live(),
    )


@cache
def gauges() -> ReadGauges:
    """Return the use case of the gauges, which alarms watch."""
    read = partial(PostgresOverview(database()).gauges, _live())
    return ReadGauges(read=read, limits=database(), log=log())


@cache
def _live() -> LaneCursors:
    """Return how far each lane has no live route, as the gauges saw."""
    return LaneCursors()
