"""Why somebody got something or nothing, told in words from what the API says."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from operate import OperatorError, story, why
from operate.api import Api
from operate.aws import Answer
from operate.texts import TEXTS

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
EARLIER = "2026-11-24T11:00:00.123456Z"
LATER = "2026-11-24T13:00:00Z"
ANN = "ann+a@example.com"


def an_event(event: str, at: str = EARLIER, **more: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(("attempt", "reason", "detail", "message_id"))
    return {"at": at, "event": event, "claim": 1, **nothing, **more}


def a_route(status: str, *history: dict[str, Any], **more: Any) -> dict[str, Any]:
    live = status in ("pending", "retrying")
    return {
        "route_id": "r-1",
        "channel": "email",
        "status": status,
        "attempts": 0,
        "next_attempt_at": EARLIER if live else None,
        "last_attempt_at": EARLIER,
        "last_error": None,
        "expires_at": LATER,
        "published_at": None,
        "provider_message_id": None,
        "user_id": "u-1",
        "device_session_id": None,
        "address": ANN,
        "delivery": {"accepted_at": EARLIER},
        "history": [an_event("submitted"), *history],
        **more,
    }


def a_notification(*routes: dict[str, Any], number: int = 1) -> dict[str, Any]:
    return {
        "notification_id": f"n-{number}",
        "kind": "order.shipped",
        "idempotency_key": f"order-{number}",
        "created_at": EARLIER,
        "deliver_at": None,
        "routes": list(routes),
    }


WAITING = a_route(
    "pending",
    next_attempt_at=LATER,
    waiting_for="email/example.com",
    waiting_since=EARLIER,
)
FAILED = an_event("failed", attempt=1, detail="InternalFailure (500)")
PUBLISHED = an_event("published", attempt=1, message_id="m-1")
REFUSED = an_event("dead_lettered", attempt=1, reason="permanent", detail="MessageRejected (400)")
ENDS: dict[str, tuple[dict[str, Any], str]] = {
    "accepted": (
        a_route("published", PUBLISHED),
        "The provider accepted the message. No event followed: look in the spam folder.",
    ),
    "pushed": (
        a_route("published", PUBLISHED, channel="push", delivery=None),
        "The provider accepted the message. It reports no deliveries.",
    ),
    "delivered": (
        a_route("published", PUBLISHED, an_event("delayed"), an_event("delivered")),
        "The recipient's server accepted the email",
    ),
    "delayed": (
        a_route("published", PUBLISHED, an_event("delayed")),
        "The recipient's server delays the email",
    ),
    "bounced": (
        a_route("published", PUBLISHED, an_event("bounced", reason="Permanent")),
        "The recipient's server returned the email (Permanent).",
    ),
    "complained of": (
        a_route("published", PUBLISHED, an_event("delivered"), an_event("complained")),
        "The recipient reported the email as spam",
    ),
    "scheduled": (
        a_route("pending", next_attempt_at=LATER),
        "Not yet: the route is due 2026-11-24 13:00:00 UTC.",
    ),
    "behind a pause": (
        {**WAITING, "pause": {"error": "AccessDenied (403): denied"}},
        "Not yet: the route has been due since 2026-11-24 11:00:00 UTC, and waits for the pause of"
        " email/example.com to end (AccessDenied (403): denied). The next attempt is due 2026-11-24"
        " 13:00:00 UTC. Run dovecote doctor",
    ),
    "throttled": (
        {**WAITING, "waiting_for": "email", "pause": None},
        "Not yet: the route has been due since 2026-11-24 11:00:00 UTC, and the provider throttled"
        " it. The next attempt is due 2026-11-24 13:00:00 UTC.",
    ),
    "refused, behind a pause": (
        {**WAITING, "pause": {"error": "e"}, "last_error": "AccessDenied (403)"},
        "Not yet: the route has been due since 2026-11-24 11:00:00 UTC (last refusal: AccessDenied"
        " (403)), and waits for the pause of email/example.com to end (e). The next",
    ),
    "refused, and nothing is paused": (
        {**WAITING, "pause": None, "last_error": "AccessDenied (403)"},
        "Not yet: the route has been due since 2026-11-24 11:00:00 UTC (last refusal: AccessDenied"
        " (403)), and email/example.com is no longer paused. The next attempt is due",
    ),
    "due": (
        a_route("pending"),
        "Not yet: the route has been due since 2026-11-24 11:00:00 UTC. Its channel may",
    ),
    "under way": (a_route("pending", attempts=1), "Not known yet: attempt 1 began 2026-11-24"),
    "under way again": (
        a_route("retrying", FAILED, attempts=2), "Not known yet: attempt 2 began",
    ),
    "retrying": (
        a_route("retrying", FAILED, attempts=1, last_error="InternalFailure (500)"),
        "Not yet: attempt 1 failed (InternalFailure (500)). The next attempt is due 2026-11-24",
    ),
    "in doubt": (
        a_route("retrying", an_event("in_doubt", attempt=1), attempts=1),
        "Not known yet: the provider may have accepted the message. Dovecote waits for an event",
    ),
    "redriven": (
        a_route("pending", REFUSED, an_event("redriven")), "Not yet: the route has been due",
    ),
    "refused": (
        a_route("dead_lettered", REFUSED, last_error="MessageRejected (400)"),
        "Not delivered: The provider refused the message and would refuse it again"
        " (MessageRejected (400)). Fix the cause, then POST /dead-letters/r-1/redrive.",
    ),
    "expired": (
        a_route("dead_lettered", FAILED, an_event("dead_lettered", reason="expired")),
        "Not delivered: The time to live ended before the provider accepted the message.",
    ),
    "rejected": (
        a_route("dead_lettered", an_event("rejected")), "Not delivered: The provider refused",
    ),
    "skipped": (
        a_route("skipped", last_error="user has no device"),
        "Not sent: The user had no live device when the notification was submitted or due.",
    ),
    "skipped for another reason": (
        a_route("skipped", last_error="address is suppressed: bounced"),
        "Not sent: The address is suppressed (bounced).",
    ),
    "cancelled": (
        a_route("cancelled", an_event("cancelled")),
        "Not sent: A caller cancelled the route before Dovecote sent the message (2026-11-24 11:",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("route", "words"), ENDS.values(), ids=ENDS)
def test_how_a_route_stands_is_one_sentence_that_says_why(
    route: dict[str, Any], words: str
) -> None:
    assert story.conclusion(route, NOW).startswith(words)


def test_every_event_of_the_schema_has_words() -> None:
    route = a_route("published", *(an_event(name, attempt=1) for name in TEXTS.events))
    lines = list(story.told(a_notification(route), NOW))
    assert not [line for line in lines if "{" in line or "None" in line]


def test_a_story_is_told_event_by_event() -> None:
    done = a_route("published", FAILED, an_event("published", LATER, attempt=2, message_id="m-2"))
    assert list(story.told(a_notification(done), NOW)) == [
        "order.shipped, key order-1, submitted 2026-11-24 11:00:00 UTC",
        "notification n-1",
        f"  email to {ANN}, route r-1",
        "    2026-11-24 11:00:00  Submitted",
        "    2026-11-24 11:00:00  Attempt 1 failed: InternalFailure (500)",
        "    2026-11-24 13:00:00  Published on attempt 2: message m-2",
        "    => The provider accepted the message. No event followed: look in the spam folder.",
        "",
    ]


@pytest.mark.parametrize(
    ("route", "target"),
    [
        ({}, f"email to {ANN}"),
        ({"address": None}, "email to user u-1"),
        ({"address": None, "user_id": None}, "email to no address and no user"),
        ({"channel": "push", "address": None}, "push to user u-1"),
        (
            {"channel": "push", "address": None, "device_session_id": "phone"},
            "push to device phone of user u-1",
        ),
        ({"channel": "push", "address": None, "user_id": None}, "push to no address and no user"),
        ({"channel": "sms", "address": None}, "sms to user u-1"),
    ],
)
def test_the_target_of_a_route_does_not_depend_on_its_channel(
    route: dict[str, Any], target: str
) -> None:
    told = list(story.told(a_notification(a_route("published", **route)), NOW))
    assert told[2] == f"  {target}, route r-1"


def test_routes_without_a_history_have_a_conclusion() -> None:
    routes = [{**route, "history": None} for route, _ in ENDS.values()]
    lines = list(story.told(a_notification(*routes), NOW))
    assert lines[2] == "  too many routes for their histories: name a user or an email address"
    assert len([line for line in lines if line.startswith("    => ")]) == len(ENDS)


def an_api(pages: Mapping[str, Any], asked: list[str] | None = None) -> Api:
    """Return an API that has these documents by path, and no other."""

    def send(_method: str, url: str, _body: bytes) -> Answer:
        path = url.removeprefix("https://api.example.com/")
        if asked is not None:
            asked.append(path)
        found = pages.get(path)
        return Answer(status=404 if found is None else 200, body=json.dumps(found).encode())

    return Api("https://api.example.com/", send)


def lines(api: Api, **question: str) -> list[str]:
    facts = why.facts(api, why.Question(**question))
    return [line for fact in facts for line in why.lines(fact, NOW)]


def test_everything_of_one_person_is_told_page_by_page() -> None:
    mine = a_route("pending")
    first, second = (a_notification(mine, number=number) for number in (1, 2))
    api = an_api(
        {
            "notifications?user_id=u-1": {
                "notifications": [second], "next": "n-2",
            },
            "notifications?user_id=u-1&after=n-2": {"notifications": [first], "next": None},
            "notifications/n-1?user_id=u-1": first,
            "notifications/n-2?user_id=u-1": second,
            "suppressions?email=ann%2Ba%40example.com": {
                "email": ANN, "reason": "bounced", "created_at": EARLIER,
            },
            "devices?user_id=u-1": {
                "devices": [
                    {"device_session_id": "phone", "platform": "apns", "dead_at": None},
                    {"device_session_id": "tablet", "platform": "fcm", "dead_at": EARLIER},
                ]
            },
        }
    )  # fmt: skip
    told = lines(api, user="u-1")
    assert [line for line in told if line.startswith("notification")] == [
        "notification n-2", "notification n-1",
    ]  # fmt: skip
    assert told[-2:] == [
        f"{ANN} is suppressed since 2026-11-24 11:00:00 UTC, and not mailed: bounced",
        "user u-1 has apns device phone (alive),"
        " fcm device tablet (dead since 2026-11-24 11:00:00 UTC)",
    ]


@pytest.mark.parametrize("channel", ["push", "sms"])
def test_only_the_addresses_of_email_can_be_suppressed(channel: str) -> None:
    found = a_notification(a_route("pending", channel=channel, address="+41790000000"))
    told = lines(an_api({"notifications/n-1": found}), id="n-1")
    assert not [line for line in told if line.startswith("+41790000000 is")]


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ({"user": "u&1"}, "notifications?user_id=u%261"),
        ({"email": ANN}, "notifications?email=ann%2Ba%40example.com"),
        ({"kind": "k", "key": "a/b"}, "notifications?kind=k&idempotency_key=a%2Fb"),
        ({"id": "../n"}, "notifications/..%2Fn"),
    ],
)
def test_each_way_asks_for_what_was_named(question: dict[str, str], asked: str) -> None:
    paths: list[str] = []
    told = lines(an_api({}, paths), **question)
    assert paths[0] == asked
    assert told[0] == "No notification is known: none was submitted so, or it is no longer kept."


def test_where_the_api_knows_no_suppressions_and_no_devices_there_are_none() -> None:
    assert lines(an_api({}), email=ANN)[1:] == [f"{ANN} is not suppressed"]
    assert lines(an_api({}), user="u-1")[1:] == ["user u-1 has no device"]


def test_it_says_that_a_user_was_erased() -> None:
    erased = {"user_id": "u-1", "reason": "erased", "created_at": EARLIER}
    told = lines(an_api({"suppressions?user_id=u-1": erased}), user="u-1")
    assert told[1:] == ["user u-1 was erased: nothing is stored for the user"]


REFUSALS = {
    "no right": (403, b"{}", "the API refuses these credentials (403)"),
    "a problem": (
        422,
        b'{"detail": "The query is invalid.", "errors": [{"pointer": "", "detail": "email: no"}]}',
        "the API answered 422: The query is invalid.; email: no",
    ),
    "no JSON": (502, b"<html>", "the API answered 502"),
}


@pytest.mark.parametrize(("status", "body", "words"), REFUSALS.values(), ids=REFUSALS)
def test_what_the_api_refuses_is_said_with_what_to_do(status: int, body: bytes, words: str) -> None:
    api = Api("https://api.example.com", lambda *_: Answer(status=status, body=body))
    with pytest.raises(OperatorError, match=r".") as refused:
        lines(api, email=ANN)
    assert str(refused.value) == words
    assert refused.value.remedy


def test_a_query_is_spelt_as_it_is_signed() -> None:
    urls: list[str] = []

    def send(_method: str, url: str, _body: bytes) -> Answer:
        urls.append(url)
        return Answer(status=404, body=b"")

    Api("https://api.example.com", send).read("notifications", kind="a b", idempotency_key="c*/+~d")
    assert urls == ["https://api.example.com/notifications?kind=a%20b&idempotency_key=c%2A%2F%2B~d"]


def a_refusal(number: int) -> dict[str, Any]:
    return {
        "notification_id": f"n-{number}",
        "kind": "order.shipped",
        "idempotency_key": f"order-{number}",
        "created_at": EARLIER,
        "refused_at": LATER,
        "problem": {
            "detail": "The notification cannot be taken.",
            "errors": [
                {"pointer": "", "detail": "/payload: required"},
                {"pointer": "/kind", "detail": "is not in the catalog"},
            ],
        },
    }


@pytest.mark.parametrize("question", [{"id": "n-2"}, {"kind": "order.shipped", "key": "order-2"}])
def test_a_refused_submission_is_told_with_its_faults(question: dict[str, str]) -> None:
    api = an_api({"refused": {"refused": [a_refusal(1), a_refusal(2)], "next": None}})
    assert lines(api, **question) == [
        "order.shipped, key order-2, submitted in SQL 2026-11-24 11:00:00 UTC",
        "submission n-2",
        "  => refused 2026-11-24 13:00:00 UTC: The notification cannot be taken.",
        "     /payload: required",
        "     /kind: is not in the catalog",
        "",
    ]


def test_a_person_has_no_refused_submissions() -> None:
    api = an_api({"refused": {"refused": [a_refusal(1)], "next": None}})
    assert not [line for line in lines(api, user="u-1") if "refused" in line]


def test_as_json_all_that_is_known_is_in_four_lists() -> None:
    pause = {"resource": "email/example.com", "error": "denied"}
    found = a_notification(WAITING)
    pages = {
        "notifications/n-1": found,
        "overview": {"paused": [pause, {"resource": "push/app"}]},
        "refused": {"refused": [], "next": None},
    }
    assert why.document(why.facts(an_api(pages), why.Question(id="n-1"))) == {
        "notifications": [{**found, "pauses": [pause]}],
        "refused": [],
        "suppressions": [{"email": ANN, "reason": None, "created_at": None}],
        "users": [{"user_id": "u-1", "erased": False, "devices": []}],
    }
