"""Which routes a notification has: those that each channel of its kind plans."""

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from dovecote.core.device import Device
from dovecote.core.notification import Recipient
from dovecote.core.route import NewRoute
from dovecote.submit.build_notification import Routing
from tests.unit.examples import a_kind, a_route

BOTH = ("fax", "pager")


class Fax:
    """A channel that plans one route for each user, and a skip for others."""

    uses_devices = False

    def routes(self, recipient: Recipient, _devices: Sequence[Device]) -> list[NewRoute]:
        skip = None if recipient.user_id else "has no number"
        return [self._route(recipient, skip=skip)]

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

    def routes(self, recipient: Recipient, devices: Sequence[Device]) -> list[NewRoute]:
        return [self._route(recipient, device_session_id=one.device_session_id) for one in devices]


def device(user_id: str, device_session_id: str) -> Device:
    return Device(
        user_id=user_id,
        device_session_id=device_session_id,
        platform="fcm",
        token="t",
        endpoint="e",
    )


DEVICES = [device("u-1", "d-1"), device("u-2", "d-9"), device("u-1", "d-2")]
ROUTING = Routing({"fax": Fax(), "pager": Pager()})


def routes(
    *recipients: Recipient, channels: tuple[str, ...] = BOTH, at_once: int = 0
) -> list[NewRoute]:
    return ROUTING.routes(a_kind(channels=channels), recipients, DEVICES, at_once=at_once)


def planned(made: list[NewRoute]) -> list[tuple[str, str | None, str | None]]:
    return [(route.channel, route.user_id, route.device_session_id) for route in made]


ONE = Recipient(user_id="u-1")


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


def test_a_recipient_that_is_named_twice_has_routes_twice() -> None:
    made = routes(ONE, ONE)
    assert len(made) == 6
    assert len({route.route_id for route in made}) == 6


@pytest.mark.parametrize(
    ("data", "text"), [(None, None), ({}, "{}"), ({"name": "Ann"}, '{"name":"Ann"}')], ids=str
)
def test_all_routes_of_a_recipient_carry_the_data(data: Any, text: str | None) -> None:
    made = routes(replace(ONE, data=data, locale="de"))
    assert {(route.locale, route.data) for route in made} == {("de", text)}


@pytest.mark.parametrize(
    ("at_once", "claimed"),
    [
        (0, [False, False, False, False]),
        # the first route is skipped: the first of the others
        (1, [False, True, False, False]),
        (2, [False, True, True, False]),
        (9, [False, True, True, True]),
    ],
)
def test_the_first_routes_that_are_not_skipped_are_claimed(
    at_once: int, claimed: list[bool]
) -> None:
    made = routes(Recipient(), ONE, at_once=at_once)
    assert [route.skip is None for route in made] == [False, True, True, True]
    assert [route.claimed for route in made] == claimed
