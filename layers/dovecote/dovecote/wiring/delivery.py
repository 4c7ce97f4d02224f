"""The parts of a delivery, which submit and dispatch share: catalog, channels and finaliser."""

from __future__ import annotations

import random
import time
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from dovecote.wiring.clients import provider_client
from dovecote.wiring.database import dispatch_store
from dovecote.wiring.logs import log
from dovecote.wiring.metrics import measurements
from dovecote.wiring.settings import BadSettings, load
from dovecote.wiring.tracing import inner_span

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dovecote.catalog.kinds import Catalog
    from dovecote.catalog.rendering import Renderer
    from dovecote.channels.base import AnyChannel
    from dovecote.dispatch.deliver import Deliver
    from dovecote.dispatch.finalise import Finaliser
    from dovecote.dispatch.sending.sender import Sender
    from dovecote.wiring.settings import Settings


@cache
def catalog() -> Catalog:
    """Return the kinds of the catalog."""
    from dovecote.catalog import kinds

    return kinds.load(Path(load().catalog_path))


@cache
def renderer() -> Renderer:
    """Return the templates of the catalog."""
    from dovecote.catalog.rendering import Renderer

    return Renderer(catalog(), Path(load().catalog_path))


def channels(settings: Settings) -> Mapping[str, AnyChannel]:
    """Return each channel by its name."""
    from dovecote.aws.telemetry import trace_id
    from dovecote.channels.email.channel import EmailChannel
    from dovecote.channels.push.channel import PushChannel
    from dovecote.core.route import Channel

    email = EmailChannel(
        client=provider_client("sesv2", settings),
        catalog=catalog(),
        renderer=renderer(),
        sender=default_sender(settings),
        configuration_set=settings.email_configuration_set,
        bulk_size=settings.email_bulk_size,
        hold_seconds=settings.holds[Channel.EMAIL],
        fixed_rate=settings.email_rate,
    )
    push = PushChannel(
        client=lambda: provider_client("sns", settings),
        catalog=catalog(),
        renderer=renderer(),
        topic_arn=settings.push_topic_arn,
        trace_id=trace_id,
        now=time.time,
    )
    return {Channel.EMAIL: email, Channel.PUSH: push}


def senders(settings: Settings, by_name: Mapping[str, AnyChannel]) -> Mapping[str, Sender]:
    """Return the sender of each channel; it has its own threads."""
    from dovecote.dispatch.sending.sender import Sender

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


def default_sender(settings: Settings) -> str:
    """Return the sender of kinds without their own; raise BadSettings where one needs it."""
    from dovecote.core.addresses import encoded
    from dovecote.core.route import Channel

    if settings.email_from:
        return encoded(settings.email_from)
    for kind in catalog().values():
        if Channel.EMAIL in kind.channels and kind.sender is None:
            raise BadSettings(f"EMAIL_FROM: is not set; set it, or a sender for {kind.name}")
    return ""


def deliver(settings: Settings, by_name: Mapping[str, AnyChannel]) -> Deliver:
    """Return the delivery of a batch by these channels."""
    from dovecote.catalog.check_payload import CheckPayload
    from dovecote.dispatch.deliver import Deliver

    return Deliver(
        store=dispatch_store(),
        senders=senders(settings, by_name),
        check=CheckPayload(catalog()),
        clock=time.monotonic,
        send_seconds=settings.send_seconds,
        span=inner_span(),
    )


def finaliser(by_name: Mapping[str, AnyChannel]) -> Finaliser:
    """Return the finaliser of batches of these channels."""
    from dovecote.core.backoff import Backoff
    from dovecote.dispatch.finalise import Finaliser
    from dovecote.dispatch.pauses import Pauses

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
