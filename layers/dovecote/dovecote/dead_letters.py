"""Redrive dead letters: a fresh set of attempts, the history kept."""

from uuid import UUID

import msgspec

from dovecote import bodies
from dovecote.model import Notification
from dovecote.ports import ANSWER_SECONDS, Store
from dovecote.problems import Conflict, Fault, Invalid, NotFound
from dovecote.submission import Instant, in_range
from dovecote.transitions import Refusal

UNKNOWN = "There is no such route."
REFUSED = "The route cannot be redriven."


class RedriveRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The body of a redrive; it may be empty."""

    expires_at: Instant | None = None


class DeadLetters:
    """Use cases of dead letters."""

    def __init__(self, *, store: Store) -> None:
        self._store = store

    def redrive(self, route_id: str, body: bytes) -> Notification:
        """Make a dead letter pending; return its notification.

        Raises NotFound, Conflict, Malformed, TooLarge and Invalid.
        """
        request = bodies.read(body or b"{}", RedriveRequest, REFUSED)
        if request.expires_at is not None and not in_range(request.expires_at):
            raise Invalid(REFUSED, [Fault("/expires_at", "is out of range")])
        try:
            route = UUID(route_id)
        except ValueError:
            raise NotFound(UNKNOWN) from None
        with self._store.within(ANSWER_SECONDS):
            answer = self._store.redrive(route, request.expires_at)
            if isinstance(answer, Refusal):
                raise _refused(answer)
            notification = None if answer is None else self._store.notification(answer)
        if notification is None:
            raise NotFound(UNKNOWN)
        return notification


def _refused(refusal: Refusal) -> Conflict | Invalid:
    match refusal:
        case Refusal.NO_DEAD_LETTER:
            return Conflict("The route is not a dead letter.")
        case Refusal.ERASED:
            return Conflict("The recipient was erased; there is nobody to send the route to.")
        case Refusal.IN_DOUBT:
            return Conflict("The route may have been accepted; its event is still waited for.")
        case Refusal.EXPIRED:
            return Invalid(
                REFUSED, [Fault("/expires_at", "must be in the future: the route expired")]
            )
