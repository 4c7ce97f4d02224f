"""The use cases of functions/api."""

from __future__ import annotations

import time
from functools import cache, partial
from typing import TYPE_CHECKING

from dovecote.wiring.clients import provider_client
from dovecote.wiring.database import database
from dovecote.wiring.logs import log
from dovecote.wiring.settings import load

if TYPE_CHECKING:
    from dovecote.channels.endpoints import Endpoints
    from dovecote.operations.dead_letters import DeadLetters
    from dovecote.operations.notifications import Notifications
    from dovecote.operations.overview import GetOverview
    from dovecote.operations.redrives import Redrives
    from dovecote.people.devices import Devices, Registrations
    from dovecote.people.erasure import Erasure
    from dovecote.people.suppressions import KeepSuppressions


@cache
def notifications() -> Notifications:
    """Return the use cases of a stored notification."""
    from dovecote.operations.notifications import Notifications
    from dovecote.store.operations.notifications import PostgresStories

    return Notifications(store=PostgresStories(database()))


@cache
def dead_letters() -> DeadLetters:
    """Return the use cases of dead letters."""
    from dovecote.core.ids import uuid7
    from dovecote.operations.dead_letters import DeadLetters
    from dovecote.store.operations.dead_letters import PostgresDeadLetters
    from dovecote.store.submit.notifications import PostgresNotifications

    return DeadLetters(
        letters=PostgresDeadLetters(database()),
        read=PostgresNotifications(database()).notification,
        limits=database(),
        new_id=uuid7,
    )


@cache
def redrives() -> Redrives:
    """Return the use cases of redrives by filter."""
    from dovecote.core.ids import uuid7
    from dovecote.operations.redrives import Redrives
    from dovecote.store.operations.dead_letters import PostgresDeadLetters

    return Redrives(
        letters=PostgresDeadLetters(database()),
        limits=database(),
        new_id=uuid7,
        clock=time.monotonic,
    )


@cache
def overview() -> GetOverview:
    """Return the use case of the console's first screen."""
    from dovecote.operations.overview import GetOverview
    from dovecote.store.operations.overview import PostgresOverview

    return GetOverview(store=PostgresOverview(database()), limits=database())


@cache
def registrations() -> Registrations:
    """Return the use case that reads devices, without a client of the provider."""
    from dovecote.people.devices import Registrations
    from dovecote.store.people.devices import PostgresDevices

    return Registrations(store=PostgresDevices(database()))


@cache
def devices() -> Devices:
    """Return the use cases that register and delete devices."""
    from dovecote.people.devices import Devices
    from dovecote.store.people.devices import PostgresDevices

    return Devices(store=PostgresDevices(database()), endpoints=_endpoints())


def _endpoints() -> Endpoints:
    """Return the endpoints of the channel that has them."""
    from dovecote import channels
    from dovecote.channels.endpoints import NoEndpoints

    settings = load()
    client = partial(provider_client, settings=settings)
    every = (one.endpoints(settings.of(name), client) for name, one in channels.every().items())
    return next((found for found in every if found is not None), NoEndpoints())


@cache
def erasure() -> Erasure:
    """Return the use cases that erase a person."""
    from dovecote.people.erasure import Erasure
    from dovecote.store.people.erasure import PostgresErasure

    return Erasure(
        people=PostgresErasure(database()),
        devices=devices(),
        limits=database(),
        clock=time.monotonic,
        log=log(),
    )


@cache
def suppressions() -> KeepSuppressions:
    """Return the use cases of suppressed addresses."""
    from dovecote.people.suppressions import KeepSuppressions
    from dovecote.store.people.suppressions import PostgresSuppressions

    return KeepSuppressions(store=PostgresSuppressions(database()))
