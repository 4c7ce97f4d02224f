"""Redrive dead letters: of routes and notifications by their ids, or all that a filter matches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from operate import OperatorError
from operate.api import Api, Document, Refused
from operate.finding import Finding, ok, skipped, wrong

NOT_FOUND = 404
UNKNOWN = "there is no route or notification of this id"
REMEDIES = {
    404: "dovecote why finds the ids of a user, an address or a key",
    409: "dovecote why --id NOTIFICATION shows its history",
    422: "if it is still worth sending, give it a new end with --expires-at",
}
"""What to do if a dead letter is not redriven, by the API's status."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of the redrive of one route, or of an id that has none."""

    id: str
    notification_id: str | None = None
    error: OperatorError | None = None

    def document(self) -> Document:
        """Return the result as JSON has it."""
        return {
            "id": self.id,
            "notification_id": self.notification_id,
            "redriven": self.error is None,
            "error": None if self.error is None else str(self.error),
        }

    def finding(self) -> Finding:
        """Return the result as a line."""
        if self.error is not None:
            return wrong(f"{self.id}: {self.error}", self.error.remedy)
        return ok(f"route {self.id} of notification {self.notification_id} is redriven")


def by_ids(api: Api, ids: Sequence[str], expires_at: str | None) -> Iterator[Result]:
    """Redrive each route, and every dead letter of each notification; raise OperatorError."""
    for one in ids:
        result = _route(api, one, expires_at)
        if isinstance(result.error, Refused) and result.error.status == NOT_FOUND:
            yield from _notification(api, one, expires_at)
        else:
            yield result


def by_filter(api: Api, request: Document) -> Document:
    """Redrive what the filter of a request matches, or count it; raise OperatorError."""
    return api.post("dead-letters", "redrive", body=request)


def summary(answer: Document, request: Document) -> Iterator[Finding]:
    """Yield what a redrive by filter did, and what is left to do."""
    yield ok(
        f"{answer['redriven']} dead letters are redriven, {request['per_second']:g} a second:"
        f" redrive {answer['redrive_id']}"
    )
    if answer["refused"]:
        yield wrong(
            f"{answer['refused']} are refused: in doubt, erased, without a payload, or expired",
            "wait for those in doubt; give those that expire a new end with --expires-at",
        )
    if (left := answer["matched"] - answer["redriven"] - answer["refused"]) > 0:
        yield skipped(f"{left} more match: run the command again when these have been sent")


def _notification(api: Api, notification_id: str, expires_at: str | None) -> Iterator[Result]:
    found = api.read("notifications", notification_id)
    if found is None:
        yield Result(id=notification_id, error=OperatorError(UNKNOWN, REMEDIES[404]))
        return
    dead = [one["route_id"] for one in found["routes"] if one["status"] == "dead_lettered"]
    if not dead:
        error = OperatorError("the notification has no dead letter", REMEDIES[409])
        yield Result(id=notification_id, notification_id=notification_id, error=error)
    yield from (_route(api, route_id, expires_at) for route_id in dead)


def _route(api: Api, route_id: str, expires_at: str | None) -> Result:
    """Redrive a route; raise OperatorError where the API does not answer about this route."""
    body = {"expires_at": expires_at} if expires_at else {}
    try:
        answer = api.post("dead-letters", route_id, "redrive", body=body)
    except Refused as error:
        if error.status not in REMEDIES:
            raise
        refusal = Refused(error.status, str(error), REMEDIES[error.status])
        return Result(id=route_id, error=refusal)
    return Result(id=route_id, notification_id=str(answer["notification_id"]))
