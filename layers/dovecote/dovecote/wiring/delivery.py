"""The parts of a delivery, which submit and dispatch share: stores, catalog, channels, finaliser.

A function imports this module with its first request: it loads all that a delivery needs.
"""

import random
import time
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path

from dovecote import channels as registry
from dovecote.aws.telemetry import trace_id
from dovecote.catalog import kinds
from dovecote.catalog.kinds import Catalog
from dovecote.catalog.rendering import Renderer
from dovecote.channels.base import AnyChannel, Tools
from dovecote.core.backoff import Backoff
from dovecote.dispatch.deliver import Deliver
from dovecote.dispatch.finalise import Finaliser
from dovecote.dispatch.pauses import Pauses
from dovecote.dispatch.sending.sender import Sender
from dovecote.store.dispatch.dispatch_store import PostgresDispatchStore
from dovecote.store.submit.submissions import PostgresSubmissions
from dovecote.wiring.clients import database, provider_client
from dovecote.wiring.observability import inner_span, log, measurements
from dovecote.wiring.settings import Settings, load, person_hash


@cache
def dispatch_store() -> PostgresDispatchStore:
    """Return the store that claims routes and records their outcomes."""
    return PostgresDispatchStore(database(), default_max_attempts=load().max_attempts)


@cache
def submissions() -> PostgresSubmissions:
    """Return the store of submitted notifications."""
    most = load().max_attempts
    return PostgresSubmissions(database(), person_hash(), default_max_attempts=most)


@cache
def catalog() -> Catalog:
    """Return the kinds of the catalog."""
    return kinds.load(Path(load().catalog_path), registry.sections())


@cache
def renderer() -> Renderer:
    """Return the templates of the catalog."""
    return Renderer(catalog(), Path(load().catalog_path))


def channels(settings: Settings) -> Mapping[str, AnyChannel]:
    """Return each channel by its name."""
    check_catalog(settings)
    tools = Tools(
        client=partial(provider_client, settings=settings),
        catalog=catalog(),
        renderer=renderer(),
        hold_seconds=settings.ambiguous_hold_seconds,
        trace_id=trace_id,
        now=time.time,
    )
    return {name: one.sender(settings.of(name), tools) for name, one in registry.every().items()}


def check_catalog(settings: Settings) -> None:
    """Raise BadSettings where a kind needs a setting that is not set."""
    for name, channel in registry.every().items():
        channel.check_catalog(settings.of(name), catalog())


def senders(settings: Settings, by_name: Mapping[str, AnyChannel]) -> Mapping[str, Sender]:
    """Return the sender of each channel; it has its own threads."""
    return {
        name: Sender(
            channel=channel,
            workers=settings.dispatch_concurrency,
            send_seconds=settings.send_seconds,
            clock=time.monotonic,
            sleep=time.sleep,
            span=inner_span(),
            sent=partial(measurements().sent, name),
        )
        for name, channel in by_name.items()
    }


def deliver(settings: Settings, by_name: Mapping[str, AnyChannel]) -> Deliver:
    """Return the delivery of a batch by these channels."""
    return Deliver(
        store=dispatch_store(),
        senders=senders(settings, by_name),
        clock=time.monotonic,
        send_seconds=settings.send_seconds,
        span=inner_span(),
    )


def finaliser(by_name: Mapping[str, AnyChannel]) -> Finaliser:
    """Return the finaliser of batches of these channels."""
    settings = load()
    return Finaliser(
        backoff=Backoff(
            base=settings.backoff_base_seconds,
            factor=settings.backoff_factor,
            maximum=settings.backoff_max_seconds,
            jitter=settings.backoff_jitter,
        ),
        channels=by_name,
        pauses=Pauses(
            base=settings.pause_base_seconds,
            most=settings.pause_max_seconds,
            random=random.random,
            log=log(),
        ),
        random=random.random,  # not cryptography: it spreads retries
        log=log(),
        clock=time.monotonic,
        sleep=time.sleep,
        measure=measurements().settled,
    )
