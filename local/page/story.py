"""A route's history, from the database and the provider's ledger."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from local.provider import Attempt

Row = Mapping[str, Any]
Tone = Literal["plain", "good", "bad", "doubt", "wait"]
Event = dict[str, Any]

SERVICES = {"ses": "SES", "sns": "SNS"}
OUTCOMES: Mapping[str, tuple[Tone, str]] = {
    "accepted": ("good", "{} accepted it"),
    "deduplicated": ("good", "{} knew it already, and did not send it again"),
    "closed_after_accepting": ("doubt", "{} accepted it, and the reply was lost"),
    "closed": ("bad", "The connection died before {} accepted it"),
    "hung_up": ("bad", "{} stalled until Dovecote hung up"),
}
REASONS: Mapping[str, str] = {
    "attempts": "All its attempts were used up.",
    "permanent": "The provider would refuse it again, however often it is tried.",
    "ambiguous": "It may have been accepted: an answer was lost, or a worker died.",
    "expired": "Its time to live was over before it could be delivered.",
}
UNHEARD = (
    "Dovecote did not hear of it: the reply was lost, or the worker was killed before it could "
    "write it down. The route was tried again."
)


def story(route: Row, attempts: Sequence[Attempt], failures: Iterable[Row]) -> list[Event]:
    """Return what happened to a route, in order; the last event says how it stands."""
    events = [
        _event(route["created_at"], "plain", "Stored", _stored(route)),
        *_tries(route, attempts),
        *(_retry(failure, route, attempts) for failure in failures),
    ]
    events.sort(key=lambda event: event["at"])
    return [*events, *_now(route)]


def _event(at: datetime | None, tone: Tone, title: str, detail: str = "", **more: Any) -> Event:
    return {"at": at, "tone": tone, "title": title, "detail": detail, **more}


def _stored(route: Row) -> str:
    return f"{route['channel']} to {_target(route)}"


def _target(route: Row) -> str:
    match route["target"]:
        case "topic":
            return f"{route['user_id']}, by the topic"
        case "device":
            return f"the device {route['device_session_id']} of {route['user_id']}"
        case _:
            return str(route["address"] or "nobody")


def _tries(route: Row, attempts: Iterable[Attempt]) -> Iterator[Event]:
    for number, attempt in enumerate(attempts, 1):
        service = SERVICES[attempt.service]
        refused: tuple[Tone, str] = ("bad", f"{{}} refused it: {attempt.outcome}")
        tone, words = OUTCOMES.get(attempt.outcome, refused)
        told = attempt.message_id in (None, route["provider_message_id"])
        if not told and tone == "good":
            tone = "doubt"
        yield _event(
            datetime.fromtimestamp(attempt.time, UTC),
            tone,
            f"Send {number}: {words.format(service)}",
            "" if told or route["status"] in ("pending", "retrying") else UNHEARD,
            message_id=attempt.message_id,
        )


def _retry(failure: Row, route: Row, attempts: Iterable[Attempt]) -> Event:
    times = (datetime.fromtimestamp(attempt.time, UTC) for attempt in attempts)
    again = min((at for at in times if at > failure["at"]), default=route["next_attempt_at"])
    wait = None if again is None else max(0.0, (again - failure["at"]).total_seconds())
    title = f"Attempt {failure['attempt']} failed"
    return _event(failure["at"], "wait", title, failure["detail"] or "", wait=wait)


def _now(route: Row) -> Iterator[Event]:
    error = route["last_error"] or ""
    match route["status"]:
        case "published":
            after = f"On attempt {route['attempts']}"
            message_id = route["provider_message_id"]
            yield _event(route["published_at"], "good", "Published", after, message_id=message_id)
        case "dead_lettered":
            reason = REASONS.get(route["reason"], "")
            yield _event(
                route["dead_lettered_at"],
                "bad",
                f"Dead letter: {route['reason']}",
                reason,
                error=error,
            )
        case "skipped":
            yield _event(None, "plain", "Skipped", error)
        case "cancelled":
            yield _event(None, "plain", "Cancelled", "Nobody will send it.")
        case _ if route["claimed"]:
            until = route["leased_until"]
            yield _event(None, "wait", "A worker holds it", "Its claim runs out", until=until)
        case _:
            due = route["next_attempt_at"]
            yield _event(None, "wait", "Waits for dispatch", "Due", until=due)
