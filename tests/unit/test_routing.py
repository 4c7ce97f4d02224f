"""Which routes a notification takes."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from dovecote.core.device import Device
from dovecote.core.notification import Recipient
from dovecote.core.route import Channel, NewRoute, Target
from dovecote.submit.routing import (
    NO_DEVICE,
    NO_EMAIL,
    NO_USER,
    NOT_ALLOWED,
    NOT_THIS_DEVICE,
    MailRule,
    Routing,
)
from tests.unit.examples import ANN, a_kind

EMAIL, PUSH = (Channel.EMAIL,), (Channel.PUSH,)
BOTH = (Channel.EMAIL, Channel.PUSH)
ELSEWHERE = "success+elsewhere@simulator.amazonses.com"


def numbers() -> Iterator[UUID]:
    number = 0
    while True:
        number += 1
        yield UUID(int=number)


def device(user_id: str, device_session_id: str) -> Device:
    return Device(
        user_id=user_id,
        device_session_id=device_session_id,
        platform="fcm",
        token="t",
        endpoint="e",
    )


DEVICES = [device("u-1", "d-1"), device("u-2", "d-9"), device("u-1", "d-2")]


def routes(
    *recipients: Recipient,
    channels: tuple[Channel, ...] = BOTH,
    mail: MailRule | None = None,
    topic: bool = False,
    at_once: int = 0,
) -> list[NewRoute]:
    ids = numbers()
    routing = Routing(mail=mail or MailRule(), topic=topic, new_id=lambda: next(ids))
    kind = a_kind(channels=channels)
    return routing.routes(kind, recipients, DEVICES, at_once=at_once)


def told(made: list[NewRoute]) -> list[tuple[str, str | None, str | None, str | None]]:
    """Say of each route what it delivers to, and why not."""
    return [(r.target.value, r.resolved_email, r.device_session_id, r.skip) for r in made]


ONE = Recipient(user_id="u-1", email=ANN)


def test_both_channels_and_every_device_of_the_user_take_a_route() -> None:
    assert told(routes(ONE)) == [
        ("address", ANN, None, None),
        ("device", None, "d-1", None),
        ("device", None, "d-2", None),
    ]


@pytest.mark.parametrize(
    ("channels", "recipient", "topic", "expected"),
    [
        # email alone: no push route
        (EMAIL, ONE, True, [("address", ANN, None, None)]),
        # the device that is named, and no other
        (
            PUSH,
            Recipient(user_id="u-1", device_session_id="d-2"),
            False,
            [("device", None, "d-2", None)],
        ),
        # each device and the topic
        (
            PUSH,
            Recipient(user_id="u-2"),
            True,
            [("device", None, "d-9", None), ("topic", None, None, None)],
        ),
        # the topic is told which device is named
        (
            PUSH,
            Recipient(user_id="u-1", device_session_id="d-1"),
            True,
            [("device", None, "d-1", None), ("topic", None, "d-1", None)],
        ),
        # no device, but the topic
        (PUSH, Recipient(user_id="u-3"), True, [("topic", None, None, None)]),
        # no device and no topic
        (PUSH, Recipient(user_id="u-3"), False, [("device", None, None, NO_DEVICE)]),
        # a device that is not this user's
        (
            PUSH,
            Recipient(user_id="u-1", device_session_id="d-9"),
            False,
            [("device", None, "d-9", NOT_THIS_DEVICE)],
        ),
        # no user: neither device nor topic
        (PUSH, Recipient(email=ANN), True, [("device", None, None, NO_USER)]),
        (PUSH, Recipient(device_session_id="d-1"), False, [("device", None, "d-1", NO_USER)]),
        # no email
        (EMAIL, Recipient(user_id="u-1"), False, [("address", None, None, NO_EMAIL)]),
    ],
)
def test_a_recipient_takes_the_routes_that_reach_it_and_skips_say_why(
    channels: tuple[Channel, ...],
    recipient: Recipient,
    topic: bool,
    expected: list[tuple[str, str | None, str | None, str | None]],
) -> None:
    assert told(routes(recipient, channels=channels, topic=topic)) == expected


def test_an_email_route_carries_no_device() -> None:
    one = Recipient(user_id="u-1", email=ANN, device_session_id="d-1")
    assert told(routes(one, channels=EMAIL)) == [("address", ANN, None, None)]


def test_routes_keep_the_order_of_the_recipients() -> None:
    made = routes(Recipient(user_id="u-2"), Recipient(user_id="u-1"), channels=PUSH)
    assert [route.device_session_id for route in made] == ["d-9", "d-1", "d-2"]


def test_a_recipient_that_is_named_twice_takes_two_routes_of_their_own() -> None:
    made = routes(ONE, ONE)
    assert len(made) == 6
    assert len({route.route_id for route in made}) == 6


def test_a_route_carries_user_locale_and_data_with_the_digits_that_were_sent() -> None:
    (made,) = routes(
        Recipient(user_id="u-1", email=ANN, locale="de", data={"name": "Ann"}), channels=EMAIL
    )
    assert (made.channel, made.target) == (Channel.EMAIL, Target.ADDRESS)
    assert (made.user_id, made.locale, made.data) == ("u-1", "de", '{"name":"Ann"}')


def test_data_that_is_absent_is_not_an_empty_object() -> None:
    absent, empty = routes(Recipient(email=ANN), Recipient(email=ANN, data={}), channels=EMAIL)
    assert (absent.data, empty.data) == (None, "{}")


# Who may be mailed.


@pytest.mark.parametrize(
    ("allowed", "redirect", "email", "resolved"),
    [
        # in production everybody is
        ((), "", ANN, ANN),
        # an address, however it is spelt
        ((ANN,), "", ANN, ANN),
        ((ANN.upper(),), "", ANN, ANN),
        ((ANN,), "", ANN.replace("ann", "ANN"), ANN.replace("ann", "ANN")),
        # a domain
        (("@simulator.amazonses.com",), "", ANN, ANN),
        (("@Simulator.AmazonSES.com",), "", ANN, ANN),
        # neither: nobody, or elsewhere
        (("@example.com",), "", ANN, None),
        (("@example.com",), ELSEWHERE, ANN, ELSEWHERE),
        # nobody is allowed by name: all elsewhere
        ((), ELSEWHERE, ANN, ELSEWHERE),
        # a domain is whole
        (("@amazonses.com",), "", ANN, None),
        (("@simulator.amazonses.com",), "", "ann@evil-simulator.amazonses.com", None),
        (("@example.com",), "", "ann@example.com.evil.example", None),
        # and so is an address
        ((ANN,), "", f"x{ANN}", None),
    ],
)
def test_a_mail_rule_says_who_is_mailed(
    allowed: tuple[str, ...], redirect: str, email: str, resolved: str | None
) -> None:
    assert MailRule(allowed=allowed, redirect=redirect).resolve(email) == resolved


def test_what_may_not_be_mailed_is_skipped_and_keeps_its_address() -> None:
    mail = MailRule(allowed=("@example.com",))
    assert told(routes(ONE, channels=EMAIL, mail=mail)) == [("address", ANN, None, NOT_ALLOWED)]


def test_what_is_redirected_is_mailed_elsewhere() -> None:
    mail = MailRule(allowed=("@example.com",), redirect=ELSEWHERE)
    assert told(routes(ONE, channels=EMAIL, mail=mail)) == [("address", ELSEWHERE, None, None)]


# The best effort.


@pytest.mark.parametrize(
    ("at_once", "claimed"),
    [
        (0, [False, False, False, False]),
        # the first route is skipped: the first that can be tried
        (1, [False, True, False, False]),
        (2, [False, True, True, False]),
        (9, [False, True, True, True]),
    ],
)
def test_the_first_routes_that_can_be_tried_are_marked(at_once: int, claimed: list[bool]) -> None:
    made = routes(Recipient(user_id="u-2"), Recipient(user_id="u-2", email=ANN), at_once=at_once)
    assert [route.skip for route in made] == [NO_EMAIL, None, None, None]
    assert [route.claimed for route in made] == claimed
