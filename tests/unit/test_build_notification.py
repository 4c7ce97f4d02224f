"""Planning: what the preview is asked, so that one answer holds for all who share it."""

import time
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dovecote.catalog.kinds import Kind, load
from dovecote.channels.planning import Oversized
from dovecote.core.device import Device
from dovecote.core.notification import NewNotification, Recipient, Submission
from dovecote.core.problems import Invalid
from dovecote.core.route import NewRoute
from dovecote.submit.build_notification import BuildNotification, Routing
from dovecote.submit.submission import parse
from tests.unit.examples import KIND, SECTIONS, a_body, a_route, catalog_folder


class Devices:
    """A store that knows devices alone."""

    def __init__(self, *sessions: str) -> None:
        self._sessions = sessions

    def devices(self, _user_ids: Sequence[str]) -> list[Device]:
        return [
            Device(user_id="u-1", device_session_id=s, platform="apns", token=s, endpoint=s)
            for s in self._sessions
        ]


class Preview:
    """Remembers for whom it was asked."""

    def __init__(self, fault: str | None = None, fits: int = 10_000) -> None:
        self.asked: list[Recipient] = []
        self._fault = fault
        self._fits = fits

    def texts(self, _kind: Kind, locale: str | None) -> str | None:
        return locale

    def reads(self, _kind: Kind, _locale: str | None) -> frozenset[str]:
        return frozenset()

    def reached(self, _kind: Kind, recipient: Recipient) -> tuple[str, ...]:
        return ("by-user",) if recipient.user_id else ()

    def fault(
        self, _kind: Kind, _submission: Submission, recipient: Recipient
    ) -> str | Oversized | None:
        self.asked.append(recipient)
        size = len(f"{recipient.user_id}{recipient.device_session_id}".encode())
        return self._fault if size <= self._fits else Oversized("is too large")


class Planner:
    """Plans one route for each recipient, and asks for the devices of users."""

    uses_devices = True

    def routes(self, recipient: Recipient, _devices: Sequence[Device]) -> list[NewRoute]:
        return [a_route(user_id=recipient.user_id)]

    def check(self, *_: Any) -> None:
        pass


def a_plan(
    folder: Path, preview: Preview, *sessions: str
) -> Callable[[Submission], NewNotification]:
    plan = BuildNotification(
        catalog=load(catalog_folder(folder), SECTIONS),
        preview=preview,
        routing=Routing({name: Planner() for name in SECTIONS}, dict.fromkeys(SECTIONS, "user_id")),
        submissions=Devices(*sessions),
        new_id=uuid.uuid4,
        clock=time.monotonic,
        now=time.time,
    )
    return partial(plan, at_once=2)


def submission(recipients: list[dict[str, Any]], **more: Any) -> Submission:
    body = a_body(kind=KIND, payload={"name": "Ann"}, recipients=recipients, **more)
    return parse(body, key=None, traceparent=None)


def sizes(preview: Preview) -> list[tuple[int, int]]:
    return [
        (len((r.user_id or "").encode()), len((r.device_session_id or "").encode()))
        for r in preview.asked
    ]


def test_the_preview_is_asked_with_the_longest_ids_that_can_be(tmp_path: Path) -> None:
    preview = Preview()
    a_plan(tmp_path, preview, "d-1")(submission([{"user_id": "u-1"}]))
    assert sizes(preview) == [(4 * 255, 4 * 255)]


def test_what_does_not_fit_with_those_is_seen_with_the_longest_of_any(tmp_path: Path) -> None:
    preview = Preview(fits=1000)
    plan = a_plan(tmp_path, preview, "d-1", "d" * 250)
    plan(submission([{"user_id": "u-1"}, {"user_id": "\N{GRINNING FACE}" * 60}]))
    assert sizes(preview)[1:] == [(240, 250)]
    with pytest.raises(Invalid, match="cannot be taken"):
        a_plan(tmp_path, Preview(fits=200), "d" * 250)(submission([{"user_id": "u-1"}]))


@pytest.mark.parametrize(("session", "fits"), [(None, False), ("d-1", True)])
def test_a_scheduled_push_has_to_fit_with_any_id_of_a_device_that_is_not_named(
    tmp_path: Path, session: str | None, fits: bool
) -> None:
    plan = a_plan(tmp_path, Preview(fits=1000), "d-1")
    to = [{"user_id": "u-1", "device_session_id": session}]
    later = submission(to, deliver_at="2999-01-01T00:00:00Z")
    if fits:
        assert plan(later).routes
    else:
        with pytest.raises(Invalid, match="cannot be taken"):
            plan(later)


def test_those_who_share_a_rendering_are_asked_for_once(tmp_path: Path) -> None:
    preview = Preview()
    everybody = [{"user_id": f"u-{n}"} for n in range(100)]
    plan = a_plan(tmp_path, preview)
    plan(submission([*everybody, {"user_id": "u-1", "locale": "de"}]))
    assert [recipient.locale for recipient in preview.asked] == [None, "de"]


def test_who_has_data_of_their_own_is_asked_for_alone(tmp_path: Path) -> None:
    preview = Preview("cannot be made")
    plan = a_plan(tmp_path, preview)
    with pytest.raises(Invalid) as caught:
        plan(submission([{"user_id": "u-1", "data": {"name": n}} for n in ("Ann", "Bea")]))
    assert [fault.pointer for fault in caught.value.errors] == [
        "/recipients/0/data",
        "/recipients/1/data",
    ]


def test_the_routes_are_for_those_who_were_named(tmp_path: Path) -> None:
    planned = a_plan(tmp_path, Preview())(submission([{"user_id": "u-1"}, {"user_id": "u-22"}]))
    assert {route.user_id for route in planned.routes} == {"u-1", "u-22"}
    assert planned.submission.kind == KIND
