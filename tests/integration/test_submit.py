"""What submit is told is what the store holds, and who has devices is heard of before it stores."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
from msgspec.structs import replace

from dovecote.channels import NAMES, lanes
from dovecote.core.claim import Claim, Lease
from dovecote.core.device import Device, UserDevice
from dovecote.core.errors import StoreFailed
from dovecote.core.notification import DevicesFound, NewNotification, Priority
from dovecote.core.route import Target
from dovecote.store.people.devices import PostgresDevices
from tests.builders import (
    a_lease,
    a_notification,
    a_route,
    a_submission,
    claim_all,
    misfiled,
    stored,
)
from tests.conftest import DEFAULT_MAX_ATTEMPTS
from tests.store import HASHES, Store

Connection = psycopg.Connection[Any]

DEVICE_ROUTES = [
    a_route("push", target=Target.DEVICE, device_session_id='d"\\,{}')
    for name in NAMES
    if name == "push"
]
ROUTES = [
    a_route(claimed=True),
    a_route(NAMES[-1], claimed=True),
    a_route(locale="de-AT", data='{"first_name":"\N{GRINNING FACE}"}'),
    a_route(skip="recipient has no email", address=None),
    a_route(NAMES[-1], device_session_id='d"\\,{}'),
    *DEVICE_ROUTES,
]
NOTIFICATIONS = {
    "due": a_notification(ROUTES),
    "of a low priority, with the attempts that are the default": a_notification(
        ROUTES, priority=Priority.LOW, max_attempts=0, expires_in=0.5
    ),
    "later": a_notification(
        ROUTES, submission=a_submission(deliver_at=datetime(2999, 1, 1, tzinfo=UTC))
    ),
    "long ago": a_notification(
        ROUTES,
        submission=a_submission(
            deliver_at=datetime(1999, 1, 1, 0, 0, 0, 123456, tzinfo=UTC), traceparent="00-a-b-01"
        ),
    ),
    "of nobody": replace(a_notification(), routes=[]),
}
"""Notifications of all that makes routes and claims differ."""


@pytest.mark.parametrize("which", NOTIFICATIONS)
def test_the_routes_of_an_answer_are_those_that_are_stored(store: Store, which: str) -> None:
    notification = NOTIFICATIONS[which]
    answer = stored(store, notification)
    found = store.notification(notification.notification_id)
    assert found is not None
    assert found.created_at == answer.created_at
    most = notification.max_attempts or DEFAULT_MAX_ATTEMPTS
    assert [replace(route, max_attempts=most) for route in found.routes] == answer.routes


def test_each_route_of_a_person_is_entered_skipped_or_not(
    store: Store, connection: Connection
) -> None:
    routes = [
        a_route(address="Ann@Example.com"),
        a_route(address="ann@example.com", user_id=None),
        a_route(address="ann@example.com", skip="not allowed here"),
        a_route(NAMES[-1], address=None),
        a_route(NAMES[-1], user_id=None, address=None, skip="recipient has no user_id"),
    ]
    notification = a_notification(routes)
    stored(store, notification)
    of_users = connection.execute("table dovecote.user_routes").fetchall()
    of_addresses = connection.execute("table dovecote.address_routes").fetchall()
    assert of_users == [
        ("u-1", notification.notification_id, routes[n].route_id) for n in (0, 2, 3)
    ]
    assert of_addresses == [
        (HASHES.address("ann@example.com"), notification.notification_id, routes[n].route_id)
        for n in (0, 1, 2)
    ]
    assert misfiled(connection) == []


@pytest.mark.parametrize("which", NOTIFICATIONS)
def test_what_is_claimed_at_once_is_what_a_dispatcher_would_claim(
    store: Store, connection: Connection, which: str
) -> None:
    answer = stored(store, NOTIFICATIONS[which], a_lease(0))
    connection.execute(
        "update dovecote.notification_routes"
        " set attempts = 0, claims = 0, claim_token = null, leased_until = null"
    )
    ids = {claim.route_id for claim in answer.claims}
    assert len(ids) == (0 if which in ("later", "of nobody") else 2)
    assert alike(answer.claims) == alike([c for c in claim_all(store) if c.route_id in ids])


def alike(claims: Any) -> list[Claim]:
    """Return claims in one order, without what each has of its own: its token and its moment."""
    plain = [replace(c, token=UUID(int=0), expires_in=round(c.expires_in / 60)) for c in claims]
    return sorted(plain, key=lambda claim: claim.route_id)


@pytest.mark.parametrize("priority", Priority)
def test_a_claim_at_once_says_the_lane_that_the_database_says(
    store: Store, connection: Connection, priority: Priority
) -> None:
    routes = [a_route(channel, claimed=True) for channel in NAMES]
    answer = stored(store, a_notification(routes, priority=priority))
    assert len(answer.claims) == len(routes)
    rows = connection.execute("select route_id, lane from dovecote.notification_routes").fetchall()
    assert {claim.route_id: claim.lane for claim in answer.claims} == dict(rows)
    assert {lane for _, lane in rows} <= {lane.number for lane in lanes.ALL}


def a_device(user: str, session: str) -> Device:
    return Device(
        user_id=user,
        device_session_id=session,
        platform="fcm",
        token="t",
        endpoint=f"arn:aws:sns:us-east-1:000000000000:endpoint/GCM/app/{user}{session}",
    )


ODD = ["u-1", 'u"1', "u\\1", "{u,1}", "null", "u\N{GRINNING FACE}1", " u 1 "]


def submit_unless(store: Store, *users: str) -> NewNotification:
    notification = a_notification()
    assert store.submit(notification, a_lease(), unless_devices_of=users) is not None
    return notification


@pytest.mark.parametrize("user", ODD)
def test_users_who_have_devices_are_told_of_and_nothing_is_stored(
    store: Store, devices: PostgresDevices, connection: Connection, user: str
) -> None:
    own = [a_device(user, session) for session in ("d-2", 'd"\\1')]
    for device in own:
        devices.put(device)
    devices.put(a_device("somebody else", "d"))
    with pytest.raises(DevicesFound) as found:
        submit_unless(store, "u-0", user)
    seen = [
        UserDevice(user_id=user, device_session_id=one.device_session_id, endpoint=one.endpoint)
        for one in own
    ]
    assert found.value.devices == seen == store.devices([user])
    assert connection.execute("select count(*) from dovecote.notifications").fetchone() == (0,)
    submit_unless(store)
    submit_unless(store, "u-0", "nobody")


def test_a_dead_device_is_none(store: Store, devices: PostgresDevices) -> None:
    device = a_device("u-1", "d-1")
    devices.put(device)
    assert store.mark_device_dead(device.endpoint, datetime.now(UTC))
    submit_unless(store, "u-1")


def test_text_with_nul_in_it_is_refused_and_not_cut_short(
    store: Store, connection: Connection
) -> None:
    with pytest.raises(StoreFailed):
        stored(store, a_notification(submission=a_submission(key="a\0b")))
    assert connection.execute("select count(*) from dovecote.notifications").fetchone() == (0,)


def test_a_notification_that_cannot_be_stored_with_all_its_routes_is_not_stored(
    store: Store, connection: Connection
) -> None:
    twice = a_route()
    with pytest.raises(StoreFailed, match="23505"):
        store.submit(a_notification([twice, twice]), Lease(token=twice.route_id, seconds=1))
    assert connection.execute("select count(*) from dovecote.notifications").fetchone() == (0,)
