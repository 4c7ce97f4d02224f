"""Describe a notification in words: the events of each route, and the reason of its status."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from operate.texts import TEXTS

Document = Mapping[str, Any]


def told(
    notification: Document, now: datetime, pauses: Mapping[str, Document] = MappingProxyType({})
) -> Iterator[str]:
    """Yield the lines of a notification; `pauses` are the current ones by resource."""
    yield (
        f"{notification['kind']}, key {notification['idempotency_key']},"
        f" submitted {moment(notification['created_at'])} UTC"
    )
    yield f"notification {notification['notification_id']}"
    if any(route["history"] is None for route in notification["routes"]):
        yield "  too many routes for their histories: name a user or an email address"
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
    """Return a time of the API in a readable form."""
    return f"{_time(text):%Y-%m-%d %H:%M:%S}"


def conclusion(route: Document, now: datetime) -> str:
    """Return the state of a route and the reason for it."""
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
        return "no address and no user"
    device = route["device_session_id"]
    return f"{f'device {device} of ' if device else ''}user {route['user_id']}"


def _event(event: Document) -> str:
    facts = _facts(event)
    if event["message_id"]:
        facts.append(f"message {event['message_id']}")
    title = TEXTS.title(event["event"], event["attempt"])
    return f"{title}: {', '.join(facts)}" if facts else title


def _facts(event: Document) -> list[str]:
    reason = TEXTS.reason(event["reason"]).title if event["reason"] else None
    return [text for text in (reason, event["detail"]) if text]


def _live(route: Document, now: datetime) -> str:
    due, attempts = route["next_attempt_at"], route["attempts"]
    if route["history"] and attempts > _recorded_attempts(route):
        begun = moment(route["last_attempt_at"])
        return (
            f"Not known yet: attempt {attempts} began {begun} UTC and has no result. If its worker"
            " was lost, dispatch retries the route when the lease ends."
        )
    if route["history"] and route["history"][-1]["event"] in {"in_doubt", "lapsed"}:
        return (
            "Not known yet: the provider may have accepted the message. Dovecote waits for an"
            f" event of the provider and retries the route from {moment(due)} UTC."
        )
    if route.get("waiting_for"):
        return _waiting(route)
    if route["status"] == "retrying":
        return (
            f"Not yet: attempt {attempts} failed ({route['last_error']}). The next attempt is due"
            f" {moment(due)} UTC; the route expires {moment(route['expires_at'])} UTC."
        )
    if _time(due) > now:
        return f"Not yet: the route is due {moment(due)} UTC."
    return (
        f"Not yet: the route has been due since {moment(due)} UTC. Its channel may be paused, or"
        " dispatch stopped: run dovecote doctor (docs/operate.md, oldest-due)."
    )


def _waiting(route: Document) -> str:
    resource, pause = route["waiting_for"], route.get("pause")
    refusal = f" (last refusal: {route['last_error']})" if route["last_error"] else ""
    begin = f"Not yet: the route has been due since {moment(route['waiting_since'])} UTC{refusal}"
    due = f"The next attempt is due {moment(route['next_attempt_at'])} UTC."
    if pause is not None:
        return (
            f"{begin}, and waits for the pause of {resource} to end ({pause['error']}). {due} Run"
            " dovecote doctor for the remedy."
        )
    if resource == route["channel"]:
        return f"{begin}, and the provider throttled it. {due}"
    return f"{begin}, and {resource} is no longer paused. {due}"


def _recorded_attempts(route: Document) -> int:
    """Return the last attempt in the history; a redrive starts a new count."""
    recorded = 0
    for event in route["history"]:
        recorded = 0 if event["event"] == "redriven" else event["attempt"] or recorded
    return recorded


def _published(route: Document, _now: datetime) -> str:
    newest = {event["event"]: event for event in route["history"]}
    for name in ("complained", "bounced", "delivered", "delayed"):
        if name in newest:
            return _with(TEXTS.events[name].sentence, ", ".join(_facts(newest[name])))
    accepted = TEXTS.statuses["published"].sentence
    if route.get("delivery") is None:
        return f"{accepted} It reports no deliveries."
    return f"{accepted} No event followed: look in the spam folder."


def _dead_lettered(route: Document, _now: datetime) -> str:
    ended = [e for e in route["history"] if e["event"] in {"dead_lettered", "rejected"}]
    reason = (ended[-1]["reason"] if ended else None) or "permanent"
    why = _with(TEXTS.reason(reason).sentence, route["last_error"])
    redrive = f"POST /dead-letters/{route['route_id']}/redrive"
    return f"Not delivered: {why} Fix the cause, then {redrive}."


def _skipped(route: Document, _now: datetime) -> str:
    return f"Not sent: {TEXTS.reason(route['last_error'] or 'no reason is stored').sentence}"


def _cancelled(route: Document, _now: datetime) -> str:
    at = [event["at"] for event in route["history"] if event["event"] == "cancelled"]
    when = f"{moment(at[-1])} UTC" if at else None
    return f"Not sent: {_with(TEXTS.statuses['cancelled'].sentence, when)}"


_CONCLUSIONS: Mapping[str, Callable[[Document, datetime], str]] = {
    "pending": _live,
    "retrying": _live,
    "published": _published,
    "dead_lettered": _dead_lettered,
    "skipped": _skipped,
    "cancelled": _cancelled,
}


def _with(sentence: str, detail: str | None) -> str:
    """Put a detail in parentheses at the end of a sentence."""
    return f"{sentence.removesuffix('.')} ({detail})." if detail else sentence


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
