"""Find what became of the notifications to a person, of a key or of an id."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from dovecote import channels
from operate import story
from operate.api import Api, Document

Fact = tuple[str, Document]
"""A document, and the list that it belongs to."""

LISTS = ("notifications", "refused", "suppressions", "users")
NOTHING: Fact = ("nothing", {})
"""There is no notification and no refused submission."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What to look for: a user, an email address, a kind with a key, or an id."""

    user: str | None = None
    email: str | None = None
    kind: str | None = None
    key: str | None = None
    id: str | None = None


def facts(api: Api, question: Question) -> Iterator[Fact]:
    """Yield each notification, the newest first, then the addresses and users of their routes.

    A notification has the `pauses` that its routes wait behind. Raises OperatorError.
    """
    emails = dict.fromkeys([question.email] if question.email else [])
    users = dict.fromkeys([question.user] if question.user else [])
    count = 0
    for found in _notifications(api, question):
        count += 1
        yield "notifications", {**found, "pauses": _pauses(api, found)}
        emails |= dict.fromkeys(_emails(found["routes"]))
        users |= dict.fromkeys(one["user_id"] for one in found["routes"] if one["user_id"])
    for submission in _refused(api, question):
        count += 1
        yield "refused", submission
    if not count:
        yield NOTHING
    yield from (("suppressions", _suppression(api, email)) for email in emails)
    yield from (("users", _user(api, user)) for user in users)


def document(found: Iterator[Fact]) -> dict[str, list[Document]]:
    """Return all facts by their lists."""
    lists: dict[str, list[Document]] = {name: [] for name in LISTS}
    for name, fact in found:
        if name in lists:
            lists[name].append(fact)
    return lists


def lines(fact: Fact, now: datetime) -> Iterator[str]:
    """Yield a fact in words."""
    match fact:
        case ("notifications", found):
            yield from story.told(found, now, {one["resource"]: one for one in found["pauses"]})
        case ("refused", found):
            yield from story.refused(found)
        case ("suppressions", found):
            yield _about_email(found)
        case ("users", found):
            yield _about_user(found)
        case _:
            yield "No notification is known: none was submitted so, or it is no longer kept."


def _notifications(api: Api, question: Question) -> Iterator[Document]:
    """Yield notifications with their histories, each with the routes of the person."""
    person = _named(user_id=question.user, email=question.email)
    key = _named(kind=question.kind, idempotency_key=question.key)
    listed = api.pages("notifications", **person, **key) if person or key else ()
    ids = [question.id] if question.id else (one["notification_id"] for one in listed)
    for notification_id in ids:
        found = api.read("notifications", notification_id, **person)
        if found is not None:
            yield found


def _refused(api: Api, question: Question) -> Iterator[Document]:
    """Yield the refused submissions in SQL of a key or an id; they name no person."""
    for one in api.pages("refused") if question.id or question.key else ():
        if question.id == one["notification_id"] or (
            (question.kind, question.key) == (one["kind"], one["idempotency_key"])
        ):
            yield one


def _pauses(api: Api, notification: Document) -> Sequence[Document]:
    """Return the pauses that routes of a notification wait behind."""
    waiting = {route.get("waiting_for") for route in notification["routes"]} - {None}
    overview = (api.read("overview") if waiting else None) or {"paused": []}
    return [pause for pause in overview["paused"] if pause["resource"] in waiting]


def _emails(routes: Sequence[Document]) -> Iterator[str]:
    """Yield the email addresses of routes, which can be suppressed."""
    fields = {name: channel.address_field for name, channel in channels.every().items()}
    for route in routes:
        if route["address"] and fields.get(route["channel"]) == "email":
            yield route["address"]


def _named(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _suppression(api: Api, email: str) -> Document:
    nothing = {"email": email, "reason": None, "created_at": None}
    return api.read("suppressions", email=email) or nothing


def _user(api: Api, user_id: str) -> Document:
    erased = api.read("suppressions", user_id=user_id) is not None
    devices = None if erased else api.read("devices", user_id=user_id)
    return {
        "user_id": user_id,
        "erased": erased,
        "devices": devices["devices"] if devices else [],
    }


def _about_email(suppression: Document) -> str:
    if suppression["reason"] is None:
        return f"{suppression['email']} is not suppressed"
    since = story.moment(suppression["created_at"])
    return (
        f"{suppression['email']} is suppressed since {since} UTC, and not mailed:"
        f" {suppression['reason']}"
    )


def _about_user(user: Document) -> str:
    if user["erased"]:
        return f"user {user['user_id']} was erased: nothing is stored for the user"
    if not user["devices"]:
        return f"user {user['user_id']} has no device"
    return f"user {user['user_id']} has {', '.join(_device(one) for one in user['devices'])}"


def _device(device: Document) -> str:
    dead = device["dead_at"]
    state = f"dead since {story.moment(dead)} UTC" if dead else "alive"
    return f"{device['platform']} device {device['device_session_id']} ({state})"
