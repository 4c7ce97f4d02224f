"""Record provider events, each in one transaction."""

from datetime import datetime

import psycopg

from dovecote.core import transitions
from dovecote.core.feedback import DeliveryEvent, Feedback, Verdict
from dovecote.core.transitions import DeadLetter, Publish, Recorded
from dovecote.store.database import Opened
from dovecote.store.dispatch.results import record_acceptances
from dovecote.store.people.devices import mark_device_dead
from dovecote.store.queries import Parameters, Queries, execute, in_transaction, rows


class PostgresFeedback(Queries):
    """Reports of providers after a send."""

    def record_feedback(self, feedback: Feedback) -> bool:
        """Record a provider event of a send; return whether its route changed."""
        return bool(self.database.run(lambda connection: _record(connection, feedback)))

    @in_transaction
    def mark_device_dead(self, connection: Opened, endpoint: str, reported_at: datetime) -> bool:
        """Mark the device dead that the provider reported; return whether it was alive."""
        return mark_device_dead(connection, endpoint, reported_at)


def _record(connection: Opened, feedback: Feedback) -> bool:
    """Record an event; return whether its route changed.

    The record of the email comes before the lock on its route, as in the finaliser.
    """
    parameters = _parameters(feedback)
    if not _record_email(connection, feedback, parameters):
        return False
    if not rows(connection, "feedback/lock_route", parameters):
        raise psycopg.Rollback  # purged, with its records: nothing is kept of it
    if feedback.note is not None:
        _record_event(connection, feedback.note, parameters)
    route = Recorded(**rows(connection, "feedback/recorded", parameters)[0])
    return _end_route(connection, transitions.reported(route, feedback), parameters)


def _parameters(feedback: Feedback) -> dict[str, object]:
    note = feedback.note
    return {
        "route_id": feedback.route_id,
        "claim": feedback.claim,
        "message_id": feedback.message_id,
        "error": feedback.error,
        "expires_at": None,
        "event": note and note.event,
        "at": note and note.at,
        "reason": note and note.reason,
        "bounce_type": note and note.bounce_type,
    }


def _record_email(connection: Opened, feedback: Feedback, parameters: Parameters) -> bool:
    """Put the verdict on an email on record; return whether the event may concern its route."""
    if feedback.known is Verdict.NOT_SENT:
        return bool(rows(connection, "feedback/record_rejection", parameters))
    record_acceptances(connection, {feedback.route_id: feedback.message_id})
    if feedback.note is not None:
        execute(connection, "feedback/record_delivery", parameters)
    return True


def _record_event(connection: Opened, event: DeliveryEvent, parameters: Parameters) -> None:
    """Record a delivery event, and suppress the address after a bounce or complaint.

    A repeated event suppresses nothing: an operator may have unsuppressed the address meanwhile.
    """
    new = rows(connection, "feedback/record_event", parameters)
    suppression = transitions.suppressed(event)
    if new and suppression is not None:
        execute(connection, "feedback/suppress", {**parameters, "suppression": suppression})


def _end_route(
    connection: Opened, end: Publish | DeadLetter | None, parameters: Parameters
) -> bool:
    match end:
        case Publish():
            execute(connection, "feedback/settle", parameters)
        case DeadLetter(reason=reason):
            execute(connection, "feedback/reject", {**parameters, "reason": str(reason)})
    return end is not None
