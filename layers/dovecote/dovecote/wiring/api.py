"""The use cases of functions/api."""

from __future__ import annotations

import time
from functools import cache, partial
from typing import TYPE_CHECKING

from dovecote.wiring.clients import database, expand_by_submit, provider_client
from dovecote.wiring.observability import log
from dovecote.wiring.settings import load, person_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dovecote.core.device import Registration
    from dovecote.core.parsing.queries import Page
    from dovecote.operations.dead_letters import DeadLetters
    from dovecote.operations.inbox import Inbox
    from dovecote.operations.notifications import Notifications
    from dovecote.operations.overview import Overview
    from dovecote.people.devices import Devices
    from dovecote.people.erasure import Erasure
    from dovecote.people.suppressions import KeepSuppressions


@cache
def notifications() -> Notifications:
    """Return the use cases of a stored notification."""
    from dovecote.operations.notifications import Notifications
    from dovecote.store.operations.notifications import PostgresStories

    return Notifications(store=PostgresStories(database(), person_hash()), inbox=inbox())


@cache
def inbox() -> Inbox:
    """Return the use cases of submissions in SQL that are pending or were refused."""
    from dovecote.operations.inbox import Inbox
    from dovecote.store.operations.inbox import PostgresInboxEntries

    return Inbox(
        entries=PostgresInboxEntries(database()), expand=expand_by_submit(load().submit_function)
    )


def expand_waiting(asked: Mapping[str, str]) -> bool:
    """Expand the submissions of a person; submit is called only if a submission is pending."""
    return inbox().entries.is_waiting() and inbox().expand(asked)


@cache
def dead_letters() -> DeadLetters:
    """Return the use cases of dead letters and redrives."""
    from dovecote.core.ids import uuid7
    from dovecote.operations.dead_letters import DeadLetters
    from dovecote.store.operations.dead_letters import PostgresDeadLetters
    from dovecote.store.submit.notifications import PostgresNotifications

    return DeadLetters(
        letters=PostgresDeadLetters(database()),
        read=PostgresNotifications(database()).notification,
        limits=database(),
        new_id=uuid7,
        clock=time.monotonic,
    )


def overview() -> Overview:
    """Return the overview, which is the console's first screen."""
    from dovecote.operations.overview import read_overview
    from dovecote.store.operations.overview import PostgresOverview

    return read_overview(PostgresOverview(database()).overview, database())


def find_devices(query: str) -> Page[Registration]:
    """Return the page of devices that a query asks for, without a client of the provider."""
    from dovecote.people.devices import find_devices
    from dovecote.store.people.devices import PostgresDevices

    return find_devices(PostgresDevices(database(), person_hash()), query)


@cache
def devices() -> Devices:
    """Return the use cases that register and delete devices at the channel that has them."""
    from dovecote import channels
    from dovecote.channels.endpoints import NoEndpoints
    from dovecote.people.devices import Devices
    from dovecote.store.people.devices import PostgresDevices

    settings = load()
    client = partial(provider_client, settings=settings)
    having = (one for one in channels.every().values() if one.has_endpoints)
    every = (one.endpoints(settings.of(one.name), client) for one in having)
    return Devices(
        store=PostgresDevices(database(), person_hash()), endpoints=next(every, NoEndpoints())
    )


@cache
def erasure() -> Erasure:
    """Return the use cases that erase a person."""
    from dovecote.people.erasure import Erasure
    from dovecote.store.people.erasure import PostgresErasure

    return Erasure(
        people=PostgresErasure(database(), person_hash()),
        devices=devices(),
        expand=expand_waiting,
        limits=database(),
        clock=time.monotonic,
        log=log(),
    )


@cache
def suppressions() -> KeepSuppressions:
    """Return the use cases of suppressed addresses."""
    from dovecote.people.suppressions import KeepSuppressions
    from dovecote.store.people.suppressions import PostgresSuppressions

    return KeepSuppressions(store=PostgresSuppressions(database(), person_hash()))
