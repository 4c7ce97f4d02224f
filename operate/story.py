"""What became of a notification, in words: each route's events, and why it stands as it does."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

Document = Mapping[str, Any]

ENDS = {
    "attempts": "every attempt failed, as often as its kind allows",
    "permanent": "the provider refused it, and would refuse it again",
    "expired": "its time was over before it could be sent",
    "ambiguous": "it may have been accepted, and no event ever told",
}
"""Why a route is a dead letter."""

SKIPS = {
    "recipient has no email": "no address was submitted for it",
    "recipient has no user_id": "a push goes to a user's devices, and no user was submitted",
    "user has no device": "the user had no living device when it was submitted, or due",
    "device is not registered": "the device that it was for was not registered",
    "not allowed here": "EmailAllow of this environment does not let the address be mailed",
}
"""Why nobody was to be reached, beyond what the route itself says."""

EVENTS = {
    "submitted": "submitted",
    "published": "attempt {attempt} was accepted by the provider{message}",
    "failed": "attempt {attempt} failed{said}",
    "in_doubt": "attempt {attempt} may have been accepted, its answer was lost{said}",
    "lapsed": "attempt {attempt} ran out of time: its worker was lost, it may have been accepted",
    "dead_lettered": "ended as a dead letter after attempt {attempt}{said}",
    "rejected": "the provider told that it was not sent after all{said}",
    "settled": "the provider told that it had accepted it{message}",
    "skipped": "skipped{said}",
    "cancelled": "cancelled",
    "expanded": "its time came: planned for the devices that the user had then",
    "redriven": "redriven: a fresh set of attempts",
    "released": "released: its address is no longer suppressed",
    "erased": "erased: whom it was for is no longer known",
    "delivered": "the recipient's server took it",
    "delayed": "the recipient's server puts it off{said}",
    "bounced": "bounced{said}",
    "complained": "the recipient reported it as spam",
}
"""What each event of a route's history says."""


def told(
    notification: Document, now: datetime, pauses: Mapping[str, Document] = MappingProxyType({})
) -> Iterator[str]:
    """Yield the lines of a notification, route by route; `pauses` are those of now by resource."""
    yield (
        f"{notification['kind']}, key {notification['idempotency_key']},"
        f" submitted {moment(notification['created_at'])} UTC"
    )
    yield f"notification {notification['notification_id']}"
    if any(route["history"] is None for route in notification["routes"]):
        yield "  of so many routes no history is told: name one person of them"
    for route in notification["routes"]:
        pause = pauses.get(route.get("waiting_for"))
        yield from _route({**route, "history": route["history"] or [], "pause": pause}, now)
    yield ""


def refused(submission: Document) -> Iterator[str]:
    """Yield the lines of a refused submission in SQL."""
    problem = submission["problem"]
    yield (
        f"{submission['kind']}, key {submission['idempotency_key']},"
        f" submitted in SQL {moment(submission['created_at'])} UTC"
    )
    yield f"submission {submission['notification_id']}"
    yield f"  => refused {moment(submission['refused_at'])} UTC: {problem['detail']}"
    for fault in problem.get("errors", ()):
        yield f"     {': '.join(text for text in (fault['pointer'], fault['detail']) if text)}"
    yield ""


def moment(text: str) -> str:
    """Return a time of the API's as people read it."""
    return f"{_time(text):%Y-%m-%d %H:%M:%S}"


def conclusion(route: Document, now: datetime) -> str:
    """Return how a route stands and why, in a sentence."""
    conclude = _CONCLUSIONS[route["status"]]
    return conclude(route, now)


def _route(route: Document, now: datetime) -> Iterator[str]:
    yield f"  {_target(route)}, route {route['route_id']}"
    for event in route["history"]:
        yield f"    {moment(event['at'])}  {_event(event)}"
    yield f"    => {conclusion(route, now)}"


def _target(route: Document) -> str:
    return f"{route['channel']} to {route['address'] or _user(route)}"


def _user(route: Document) -> str:
    if not route["user_id"]:
        return "nobody"
    device = route["device_session_id"]
    return f"{f'device {device} of ' if device else ''}user {route['user_id']}"


def _event(event: Document) -> str:
    said = [str(event[name]) for name in ("reason", "detail") if event[name]]
    name = str(event["event"])
    words = EVENTS.get(name, name.replace("_", " ") + "{said}")
    return words.format(
        attempt=event["attempt"],
        said=": " + ", ".join(said) if said else "",
        message=f" as {event['message_id']}" if event["message_id"] else "",
    )


def _live(route: Document, now: datetime) -> str:
    due, attempts = route["next_attempt_at"], route["attempts"]
    if route["history"] and attempts > _told_attempts(route):
        begun = moment(route["last_attempt_at"])
        return (
            f"not known yet: attempt {attempts} was begun {begun} UTC; it is under way, or its"
            " worker was lost, and then it is tried again when its lease is over"
        )
    if route["history"] and route["history"][-1]["event"] in {"in_doubt", "lapsed"}:
        return (
            "not known yet: it may have been accepted; an event of the provider's is waited for,"
            f" and it is tried again from {moment(due)} UTC on"
        )
    if route.get("waiting_for"):
        return _waiting(route)
    if route["status"] == "retrying":
        return (
            f"not yet: attempt {attempts} failed ({route['last_error']}); the next is due"
            f" {moment(due)} UTC, and none after {moment(route['expires_at'])} UTC"
        )
    if _time(due) > now:
        return f"not yet: it is to be sent from {moment(due)} UTC on"
    return (
        f"not yet: it has been due since {moment(due)} UTC; is its channel paused, or dispatch"
        " stopped? dovecote doctor says (docs/operate.md, oldest-due)"
    )


def _waiting(route: Document) -> str:
    resource, pause = route["waiting_for"], route.get("pause")
    since, due = moment(route["waiting_since"]), moment(route["next_attempt_at"])
    refusal = f" (it was refused: {route['last_error']})" if route["last_error"] else ""
    if pause is None and resource == route["channel"]:
        return (
            f"not yet: due since {since} UTC, the provider throttled it; it is due again {due} UTC"
        )
    if pause is None:
        return (
            f"not yet: due since {since} UTC{refusal}; {resource} is not paused any more, and the"
            f" next attempt is due {due} UTC"
        )
    return (
        f"not yet: due since {since} UTC, it waits behind the pause of {resource}"
        f" ({pause['error']}){refusal}; the next attempt is due {due} UTC. dovecote doctor says"
        " what to do"
    )


def _told_attempts(route: Document) -> int:
    """Return the last attempt that is told of; a redrive begins to count anew."""
    told = 0
    for event in route["history"]:
        told = 0 if event["event"] == "redriven" else event["attempt"] or told
    return told


def _published(route: Document, _now: datetime) -> str:
    newest = {event["event"]: event for event in route["history"]}
    for name in ("complained", "bounced", "delivered", "delayed"):
        if name in newest:
            return AFTER[name] + _because(newest[name])
    if route.get("delivery") is None:
        return "accepted by the provider, which reports no delivery"
    return "accepted by the provider, and no event has followed: look into the spam folder"


AFTER = {
    "complained": "delivered, and reported as spam: do not mail this recipient again",
    "bounced": "not delivered: the recipient's server sent it back",
    "delivered": "delivered: the recipient's server took it; look into the spam folder",
    "delayed": "not yet: the recipient's server puts it off, and the provider goes on trying",
}
"""What came after the provider accepted it, the gravest first."""


def _dead_lettered(route: Document, _now: datetime) -> str:
    ended = [e for e in route["history"] if e["event"] in {"dead_lettered", "rejected"}]
    reason = (ended[-1]["reason"] if ended else None) or "permanent"
    error = f" ({route['last_error']})" if route["last_error"] else ""
    return (
        f"not delivered: {ENDS.get(reason, reason)}{error}; once that is mended,"
        f" POST /dead-letters/{route['route_id']}/redrive"
    )


def _skipped(route: Document, _now: datetime) -> str:
    reason = route["last_error"] or "no reason is kept"
    return f"not sent: {SKIPS.get(reason, reason)}"


def _cancelled(route: Document, _now: datetime) -> str:
    at = [event["at"] for event in route["history"] if event["event"] == "cancelled"]
    return f"not sent: it was cancelled{f' {moment(at[-1])} UTC' if at else ''}"


_CONCLUSIONS: Mapping[str, Callable[[Document, datetime], str]] = {
    "pending": _live,
    "retrying": _live,
    "published": _published,
    "dead_lettered": _dead_lettered,
    "skipped": _skipped,
    "cancelled": _cancelled,
}


def _because(event: Document) -> str:
    said = [str(event[name]) for name in ("reason", "detail") if event[name]]
    return f" ({', '.join(said)})" if said else ""


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
