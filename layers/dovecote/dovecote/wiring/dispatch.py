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
    from dovecote.dispatch.rates import Rates
    from dovecote.dispatch.run import Run
    from dovecote.dispatch.scale_out import ScaleOut
    from dovecote.operations.gauges import ReadGauges
    from dovecote.wiring.settings import Settings


@cache
def dispatch() -> Dispatch:
    """Return the dispatch use case."""
    from dovecote.dispatch.dispatch import Dispatch, Timing

    settings = load()
    return Dispatch(
        store=dispatch_store(),
        deliver=delivery.deliver(settings, delivery.channels(settings)),
        finaliser=delivery.finaliser(),
        rates=_rates(settings),
        clock=time.monotonic,
        sleep=time.sleep,
        random=random.random,
        log=log(),
        new_id=uuid.uuid4,
        timing=Timing(
            batch_size=settings.dispatch_batch_size,
            lease_seconds=settings.lease_seconds,
            send_seconds=settings.send_seconds,
            holds=settings.holds,
        ),
    )


def _rates(settings: Settings) -> Rates:
    from dovecote.channels.email.channel import sending_rate
    from dovecote.dispatch.rates import Rates

    return Rates(
        store=dispatch_store(),
        fixed=settings.email_rate,
        ask=lambda: sending_rate(clients.provider_client("sesv2", settings)),
        log=log(),
    )


@cache
def run() -> Run:
    """Return a run of dispatch: the use case, and its part that depends on the invoker."""
    from dovecote.dispatch.run import Run
    from dovecote.dispatch.woken_run import WokenRun
    from dovecote.store.dispatch.wake_up import PostgresWakeUps

    woken_run = WokenRun(
        wake_ups=PostgresWakeUps(database()), dispatch=dispatch(), sleep=time.sleep, log=log()
    )
    return Run(dispatch=dispatch(), scale_out=_scale_out(load()), take_over=woken_run)


def _scale_out(settings: Settings) -> ScaleOut:
    from dovecote.dispatch import scale
    from dovecote.dispatch.scale_out import ScaleOut
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
