"""The use cases of functions/submit, which imports this module with its first request."""

import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial

from dovecote import channels
from dovecote.channels.planning import Planner
from dovecote.core.errors import StoreError
from dovecote.core.ids import uuid7
from dovecote.core.inbox import InboxGauges
from dovecote.store.dispatch.dispatch_store import PostgresInlineStore
from dovecote.store.submit.inbox import PostgresInbox
from dovecote.store.submit.scheduled import PostgresScheduledRoutes
from dovecote.submit.best_effort import BestEffort
from dovecote.submit.build_notification import BuildNotification, Routing
from dovecote.submit.checking import TemplatePreview
from dovecote.submit.expand import Expand
from dovecote.submit.scheduled import ExpandScheduled
from dovecote.submit.submit import Budget, Submit
from dovecote.submit.wake_up import WakeUp
from dovecote.wiring import delivery
from dovecote.wiring.clients import database, invoke_dispatch, invoke_submit
from dovecote.wiring.delivery import dispatch_store, submissions
from dovecote.wiring.observability import log
from dovecote.wiring.settings import Settings, load, person_hash


@cache
def submit() -> Submit:
    """Return the submit use case, with channels that fit the budget of its best effort."""
    settings = load()
    inline = settings.inline
    delivery.check_catalog(settings)  # also where only dispatch sends
    return Submit(
        plan=_build_notification(),
        submissions=submissions(),
        limits=database(),
        expand=expand().one,
        best_effort=_best_effort(inline),
        wake_up=_wake_up(),
        clock=time.monotonic,
        log=log(),
        new_id=uuid.uuid4,
        budget=Budget(
            at_once=inline.inline_routes,
            seconds=inline.inline_budget_seconds,
            lease_seconds=inline.lease_seconds,
        ),
    )


@cache
def expand() -> Expand:
    """Return the use cases that expand submissions in SQL."""
    return Expand(
        plan=_build_notification(),
        submissions=submissions(),
        inbox=PostgresInbox(database()),
        scheduled=_expand_scheduled(),
        kinds={name: kind.priority for name, kind in delivery.catalog().items()},
        limits=database(),
        wake_up=_wake_up(),
        next_run=invoke_submit(load().submit_function),
        clock=time.monotonic,
        log=log(),
    )


def _expand_scheduled() -> ExpandScheduled:
    routes = PostgresScheduledRoutes(database(), person_hash())
    return ExpandScheduled(planners=_planners(), routes=routes)


def inbox_gauges() -> InboxGauges | None:
    """Return what alarms watch of the inbox, or None where the store fails."""
    try:
        return PostgresInbox(database()).gauges()
    except StoreError as error:
        log().warning("gauges not read", error=str(error))
        return None


def _best_effort(settings: Settings) -> BestEffort:
    # Without a best effort submit needs no client.
    own = delivery.channels(settings) if settings.inline_routes else {}
    return BestEffort(
        notifications=submissions(),
        new_store=partial(PostgresInlineStore, database()),
        limits=database(),
        deliver=delivery.deliver(settings, own),
        finaliser=delivery.finaliser(own),
        executor=ThreadPoolExecutor(max_workers=len(channels.NAMES)),
        clock=time.monotonic,
        log=log(),
    )


@cache
def _planners() -> Mapping[str, Planner]:
    settings = load()
    return {
        name: channel.planner(settings.of(name), delivery.renderer(), uuid7)
        for name, channel in channels.every().items()
    }


@cache
def _build_notification() -> BuildNotification:
    fields = {name: channel.address_field for name, channel in channels.every().items()}
    return BuildNotification(
        catalog=delivery.catalog(),
        preview=TemplatePreview(delivery.renderer(), _planners()),
        routing=Routing(_planners(), fields),
        submissions=submissions(),
        new_id=uuid7,
        clock=time.monotonic,
        now=time.time,
    )


@cache
def _wake_up() -> WakeUp | None:
    settings = load()
    if not settings.dispatch_function:
        return None
    return WakeUp(
        rights=dispatch_store(),
        limits=database(),
        invoke=invoke_dispatch(settings.dispatch_function),
        executor=ThreadPoolExecutor(max_workers=1),
        clock=time.monotonic,
        log=log(),
    )
