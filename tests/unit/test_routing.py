"""Which routes a notification has: those that each channel of its kind plans."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace

from dovecote.core.device import Device
from dovecote.core.notification import PlanScheduled, Recipient, ScheduledRoute
from dovecote.core.route import NewRoute, Target
from dovecote.submit.build_notification import MAX_ROUTES, Routing
from dovecote.submit.scheduled import TOO_MANY, ExpandScheduled
from tests.unit.examples import a_kind, a_route

BOTH = ("fax", "pager")


class Fax:
    """A channel that plans one route to each address, and a skip for others."""

    uses_devices = False

    def routes(self, recipient: Recipient, _devices: Sequence[Device] | None) -> list[NewRoute]:
        address = recipient.address("fax")
        return [self._route(recipient, address=address, skip=None if address else "no number")]

    def check(self, *_: Any) -> None:
        pass

    def _route(self, recipient: Recipient, **more: Any) -> NewRoute:
        return a_route(
            channel=type(self).__name__.lower(),
            user_id=recipient.user_id,
            locale=recipient.locale,
            **more,
        )


class Pager(Fax):
    """A channel that plans one route for each device."""

    uses_devices = True

    def routes(self, recipient: Recipient, devices: Sequence[Device] | None) -> list[NewRoute]:
        named = recipient.device_session_id
        if recipient.user_id is None:
            return [self._route(recipient, skip="no user")]
        if devices is None:
            return [self._route(recipient, target=Target.USER, device_session_id=named)]
        sessions = [one.device_session_id for one in devices]
        return [
            self._route(recipient, target=Target.DEVICE, device_session_id=session)
            for session in sessions
            if named in (None, session)
        ]


def device(user_id: str, device_session_id: str) -> Device:
    return Device(
        user_id=user_id,
        device_session_id=device_session_id,
        platform="fcm",
        token="t",
        endpoint="e",
    )


DEVICES = [device("u-1", "d-1"), device("u-2", "d-9"), device("u-1", "d-2")]
ROUTING = Routing({"fax": Fax(), "pager": Pager()}, {"fax": "fax", "pager": "user_id"})


def routes(
    *recipients: Recipient,
    channels: tuple[str, ...] = BOTH,
    at_once: int = 0,
    devices: Sequence[Device] | None = DEVICES,
) -> list[NewRoute]:
    return ROUTING.routes(a_kind(channels=channels), recipients, devices, at_once=at_once)


def planned(made: list[NewRoute]) -> list[tuple[str, str | None, str | None]]:
    return [(route.channel, route.user_id, route.device_session_id) for route in made]


ONE = Recipient(user_id="u-1", addresses={"fax": "a1"})


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        (("fax",), [("fax", "u-1", None)]),
        (("pager",), [("pager", "u-1", "d-1"), ("pager", "u-1", "d-2")]),
        (
            ("pager", "fax"),
            [("pager", "u-1", "d-1"), ("pager", "u-1", "d-2"), ("fax", "u-1", None)],
        ),
    ],
)
def test_each_channel_of_a_kind_plans_its_routes_with_the_devices_of_the_user(
    channels: tuple[str, ...], expected: list[tuple[str, str, str | None]]
) -> None:
    assert planned(routes(ONE, channels=channels)) == expected


@pytest.mark.parametrize(("channels", "uses"), [(("fax",), False), (BOTH, True)])
def test_devices_are_used_where_one_channel_of_the_kind_uses_them(
    channels: tuple[str, ...], uses: bool
) -> None:
    assert ROUTING.uses_devices(a_kind(channels=channels)) is uses


def test_routes_keep_the_order_of_the_recipients() -> None:
    made = routes(Recipient(user_id="u-2"), ONE, channels=("pager",))
    assert [route.device_session_id for route in made] == ["d-9", "d-1", "d-2"]


def one(fax: str | None = None, user: str | None = None, session: str | None = None) -> Recipient:
    addresses = {} if fax is None else {"fax": fax}
    return Recipient(addresses=addresses, user_id=user, device_session_id=session)


@pytest.mark.parametrize(
    ("recipients", "expected"),
    [
        # three times one address, in any case
        ([one("a1"), one("A1"), one("a1")], ["fax a1", "pager -"]),
        # two addresses of one user
        ([one("a1", "u-2"), one("b2", "u-2")], ["fax a1", "pager d-9", "fax b2"]),
        # one address of two users, or of a user and somebody else
        ([one("a1", "u-2"), one("a1", "u-3")], ["fax a1", "pager d-9"]),
        ([one("a1", "u-2"), one("a1")], ["fax a1", "pager d-9", "pager -"]),
        # a user, then one of the devices of the user, and the reverse
        ([one(user="u-1"), one(user="u-1", session="d-2")], ["fax -", "pager d-1", "pager d-2"]),
        ([one(user="u-1", session="d-2"), one(user="u-1")], ["fax -", "pager d-2", "pager d-1"]),
        # ids of users have no case
        ([one(user="u-2"), one(user="U-2"), one(user="u-2")], ["fax -", "pager d-9", "fax -"]),
    ],
)
def test_repeated_recipients_have_one_route_to_each_address_and_device(
    recipients: list[Recipient], expected: list[str]
) -> None:
    made = routes(*recipients)
    assert [f"{r.channel} {r.address or r.device_session_id or '-'}" for r in made] == expected


def test_the_first_of_repeated_recipients_decides() -> None:
    first = replace(one("a1", "u-2"), data={"name": "Ann"}, locale="de")
    made = routes(first, replace(one("A1", "u-2"), data={"name": "Bob"}))
    assert {(route.locale, route.data) for route in made} == {("de", '{"name":"Ann"}')}


def test_an_address_that_all_are_redirected_to_is_sent_to_for_each() -> None:
    class Redirected(Fax):
        def routes(self, recipient: Recipient, _devices: Any) -> list[NewRoute]:
            return [a_route(channel="fax", address="test")]

    routing = Routing({"fax": Redirected()}, {"fax": "fax"})
    to = [one("a1"), one("b2"), one("A1")]
    assert len(routing.routes(a_kind(channels=("fax",)), to, (), at_once=0)) == 2


@pytest.mark.parametrize(
    ("recipients", "expected"),
    [
        ([one(user="u-1"), one(user="u-9")], [("u-1", None), ("u-9", None)]),
        ([one(user="u-1")] * 3, [("u-1", None)]),
        ([one(user="u-1", session=s) for s in ("d-1", "d-2")], [("u-1", "d-1"), ("u-1", "d-2")]),
        # all devices of a user include the one that is named
        ([one(user="u-1", session="d-1"), one(user="u-1")], [("u-1", None)]),
        ([one("a1", "u-1"), one("a1", "u-1", "d-1")], [("u-1", None)]),
        ([one("a1")], [(None, None)]),
    ],
)
def test_a_scheduled_route_goes_to_the_user_until_it_is_due(
    recipients: list[Recipient], expected: list[tuple[str, str | None]]
) -> None:
    made = [r for r in routes(*recipients, devices=None, at_once=9) if r.channel == "pager"]
    assert [(route.user_id, route.device_session_id) for route in made] == expected
    assert not any(route.claimed for route in made)


@pytest.mark.parametrize(
    ("data", "text"), [(None, None), ({}, "{}"), ({"name": "Ann"}, '{"name":"Ann"}')], ids=str
)
def test_all_routes_of_a_recipient_carry_the_data(data: Any, text: str | None) -> None:
    made = routes(replace(ONE, data=data, locale="de"))
    assert {(route.locale, route.data) for route in made} == {("de", text)}


@pytest.mark.parametrize(
    ("at_once", "claimed"),
    [
        (0, [False, False, False, False, False]),
        # the first two routes are skipped: the first of the others
        (1, [False, False, True, False, False]),
        (2, [False, False, True, True, False]),
        (9, [False, False, True, True, True]),
    ],
)
def test_the_first_routes_that_are_not_skipped_are_claimed(
    at_once: int, claimed: list[bool]
) -> None:
    made = routes(Recipient(), ONE, at_once=at_once)
    assert [route.skip is None for route in made] == [False, False, True, True, True]
    assert [route.claimed for route in made] == claimed


def test_users_with_more_devices_than_a_notification_may_have_routes_are_skipped() -> None:
    due = [
        ScheduledRoute(
            route_id=uuid4(), notification_id=UUID(int=n % 2), channel="pager", user_id="u-1",
            device_session_id=None, routes=MAX_ROUTES - n % 2,
        )
        for n in range(3)
    ]  # fmt: skip

    class Scheduled:
        def expand(self, plan: PlanScheduled, most: int) -> tuple[int, set[str]]:
            planned = plan(due, DEVICES)
            skips = [(due_id == r.route_id, r.device_session_id, r.skip) for due_id, r in planned]
            assert skips == [
                (True, "d-1", TOO_MANY), (True, "d-1", None), (False, "d-2", None),
                (True, "d-1", TOO_MANY),
            ]  # fmt: skip
            return most, set()

    expand = ExpandScheduled(planners={"pager": Pager()}, routes=Scheduled())
    assert expand(3) == (3, set())
