"""Which routes a push notification has, and that a push that does not fit is a fault."""

from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest

from dovecote.catalog.rendering import Renderer
from dovecote.channels.planning import Oversized
from dovecote.channels.push.message import MAX_BYTES, MAX_TTL, PLATFORMS, Expiry, envelope
from dovecote.channels.push.planning import NO_DEVICE, NO_USER, NOT_THIS_DEVICE, PushPlanner
from dovecote.core.device import Device
from dovecote.core.notification import Recipient
from dovecote.submit.checking import TemplatePreview
from dovecote.submit.submission import parse
from tests.unit.channels.push.examples import ALERT, SENT_AT, an_event
from tests.unit.examples import a_body, renderer_of

USER = Recipient(user_id="u-1")
Planned = tuple[str, str | None, str | None, str | None]


def device(device_session_id: str) -> Device:
    return Device(
        user_id="u-1",
        device_session_id=device_session_id,
        platform="fcm",
        token="t",
        endpoint=f"e-{device_session_id}",
    )


def planned(recipient: Recipient, *sessions: str, topic: bool = False) -> list[Planned]:
    """Return each route's target, device, endpoint and skip."""
    planner = PushPlanner(topic=topic, renderer=cast(Renderer, None), new_id=uuid4)
    made = list(planner.routes(recipient, [device(session) for session in sessions]))
    assert {(route.channel, route.address) for route in made} == {("push", None)}
    assert {(r.user_id, r.locale) for r in made} == {(recipient.user_id, recipient.locale)}
    return [(r.target.value, r.device_session_id, r.endpoint, r.skip) for r in made]


def to(session: str) -> Planned:
    return ("device", session, f"e-{session}", None)


@pytest.mark.parametrize(
    ("recipient", "sessions", "topic", "expected"),
    [
        # every device of the user
        (USER, ["d-1", "d-2"], False, [to("d-1"), to("d-2")]),
        # the device that is named, and no other
        (
            Recipient(user_id="u-1", device_session_id="d-2"),
            ["d-1", "d-2"], False, [to("d-2")],
        ),
        # each device and the topic
        (USER, ["d-9"], True, [to("d-9"), ("topic", None, None, None)]),
        # the route to the topic has the device that is named
        (
            Recipient(user_id="u-1", device_session_id="d-1"),
            ["d-1"], True, [to("d-1"), ("topic", "d-1", None, None)],
        ),
        # no device, but the topic
        (Recipient(user_id="u-3", locale="de"), [], True, [("topic", None, None, None)]),
        # no device and no topic
        (Recipient(user_id="u-3"), [], False, [("device", None, None, NO_DEVICE)]),
        # a device that is not this user's
        (
            Recipient(user_id="u-1", device_session_id="d-9"),
            ["d-1"], False, [("device", "d-9", None, NOT_THIS_DEVICE)],
        ),
        # no user: neither device nor topic
        (Recipient(), [], True, [("device", None, None, NO_USER)]),
        (Recipient(device_session_id="d-1"), [], False, [("device", "d-1", None, NO_USER)]),
    ],
)  # fmt: skip
def test_a_user_has_routes_to_devices_and_topic_and_skips_say_why(
    recipient: Recipient, sessions: list[str], topic: bool, expected: list[Planned]
) -> None:
    assert planned(recipient, *sessions, topic=topic) == expected


def fault(folder: Path, payload: dict[str, Any], recipient: Recipient) -> str | Oversized | None:
    renderer, kind = renderer_of("push", folder)
    submission = parse(a_body(payload=payload), key=None, traceparent=None)
    planner = PushPlanner(topic=False, renderer=renderer, new_id=uuid4)
    return TemplatePreview(renderer, {"push": planner}).fault(kind, submission, recipient)


def test_a_push_that_fits_has_no_fault(tmp_path: Path) -> None:
    assert fault(tmp_path, {"name": "Ann"}, USER) is None


def test_a_push_over_4_kib_is_refused_in_words(tmp_path: Path) -> None:
    words = fault(tmp_path, {"name": "Ann", "more": "x" * MAX_BYTES}, USER)
    assert isinstance(words, str)
    assert words.endswith("phones take 4096")


def test_a_push_that_fits_without_its_ids_is_oversized(tmp_path: Path) -> None:
    recipient = Recipient(user_id="u" * 255 * 4, device_session_id="d" * 255 * 4)
    assert isinstance(fault(tmp_path, {"name": "Ann", "more": "x" * 1500}, recipient), Oversized)


def test_data_counts_too(tmp_path: Path) -> None:
    recipient = Recipient(user_id="u-1", data={"more": "x" * MAX_BYTES})
    assert fault(tmp_path, {"name": "Ann"}, recipient) is not None


def test_a_push_that_cannot_be_rendered_is_a_fault(tmp_path: Path) -> None:
    assert "'name' is undefined" in str(fault(tmp_path, {}, USER))


@pytest.mark.parametrize("letter", ["x", '"', "\u00fc", "\N{GRINNING FACE}"])
@pytest.mark.parametrize(
    ("named", "sent"),
    [
        # the device that the producer named
        ("d-1", "d-1"),
        ("d" * 255, "d" * 255),
        # the topic's event names none
        (None, None),
    ],
)
def test_a_push_without_a_fault_is_at_most_4_kib_on_every_platform(
    tmp_path: Path, named: str | None, sent: str | None, letter: str
) -> None:
    renderer, kind = renderer_of("push", tmp_path)
    planner = PushPlanner(topic=False, renderer=renderer, new_id=uuid4)
    preview = TemplatePreview(renderer, {"push": planner})
    recipient = Recipient(user_id="u-1", device_session_id=named)
    largest = 0
    for letters in range(200, 4096):
        submission = parse(a_body(payload=payload_of(letter, letters)), key=None, traceparent=None)
        if preview.fault(kind, submission, recipient) is not None:
            break
        largest = letters
    event = an_event(
        request_id="order-1234-shipped",
        payload=payload_of(letter, largest),
        device_session_id=sent,
    )
    # A redrive may give a push any time to live, and it may be sent in any year.
    for expiry in (Expiry.of(259_200, SENT_AT), Expiry.of(10 * MAX_TTL, 9e9)):
        sizes = [len(envelope(name, ALERT, event, expiry).encode()) for name in PLATFORMS]
        assert 3000 < max(sizes) <= MAX_BYTES


def payload_of(letter: str, letters: int) -> dict[str, str]:
    return {"name": "Ann", "more": letter * letters}
