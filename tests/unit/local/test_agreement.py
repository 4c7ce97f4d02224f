"""When ledger and database agree, and what is said where they do not."""

from typing import Any

import pytest

from local.page.agreement import NEWEST, agreement, newest
from local.provider import Acceptance
from local.provider.ledger import Email

EMAIL = Email(
    source="a@example.com", destination=("b@example.com",), subject="s", html=None, text="t",
    reply_to=(), headers={}, tags={}, configuration_set=None,
)  # fmt: skip


def accepted(message_id: str, route_id: str | None) -> Acceptance:
    return Acceptance(
        sequence=1, time=0.0, service="ses", operation="SendEmail", message_id=message_id,
        target="b@example.com", content=EMAIL, route_id=route_id,
    )  # fmt: skip


def route(route_id: str, status: str, message_id: str | None = None) -> dict[str, Any]:
    return {"route_id": route_id, "status": status, "provider_message_id": message_id}


def held(routes: list[dict[str, Any]], *rows: Acceptance) -> dict[str, Any]:
    return agreement(routes, rows, rows)


def test_a_published_route_whose_message_was_accepted_for_it_agrees() -> None:
    now = held([route("r1", "published", "m1")], accepted("m1", "r1"))
    assert now["agree"]
    assert (now["accepted_routes"], now["published"], now["sent_twice"]) == (1, 1, 0)


def test_a_route_that_was_accepted_and_is_live_is_still_to_be_published() -> None:
    now = held([route("r1", "retrying")], accepted("m1", "r1"))
    assert now["agree"]
    assert (now["live"], now["in_doubt"]) == (1, 1)


def test_a_route_that_was_accepted_again_was_sent_twice() -> None:
    now = held([route("r1", "published", "m2")], accepted("m1", "r1"), accepted("m2", "r1"))
    assert now["agree"]
    assert now["sent_twice"] == 1


def test_a_route_that_is_published_as_a_message_nobody_accepted_does_not_agree() -> None:
    now = held([route("r1", "published", "m1")])
    assert not now["agree"]
    assert "r1 is published as m1, which the provider did not accept for it" in now["wrong"][0]


def test_a_route_that_is_published_as_anothers_message_does_not_agree() -> None:
    routes = [route("r1", "published", "m2"), route("r2", "published", "m2")]
    assert not held(routes, accepted("m1", "r1"), accepted("m2", "r2"))["agree"]


def test_a_message_of_a_dead_letter_or_of_no_route_does_not_agree() -> None:
    now = held([route("r1", "dead_lettered")], accepted("m1", "r1"), accepted("m2", None))
    assert "its route r1 is dead_lettered" in now["wrong"][0]
    assert "m2 was accepted, and is of no route" in now["wrong"][1]


def test_what_was_accepted_while_the_routes_were_read_is_not_held_against_them() -> None:
    late = accepted("m1", "r1")
    assert agreement([], [], [late])["agree"]
    assert agreement([route("r1", "published", "m1")], [], [late])["agree"]


def moving(number: int, **values: Any) -> dict[str, Any]:
    one = route(f"r{number}", "retrying") | {"notification_id": f"n{number:03}"}
    return {**one, "attempts": 1, "next_attempt_at": None, **values}


def test_the_newest_notifications_come_first_and_are_few() -> None:
    ids = [id_ for id_, _ in newest(moving(number) for number in range(NEWEST + 5))]
    assert ids == [f"n{number:03}" for number in range(NEWEST + 4, 4, -1)]


@pytest.mark.parametrize("change", [{"status": "published"}, {"attempts": 2}])
def test_a_version_changes_with_any_route(change: dict[str, Any]) -> None:
    first, second = moving(1), moving(1, route_id="r2")
    assert newest([first, second]) == newest([second, first])
    assert newest([first, second]) != newest([first, {**second, **change}])
