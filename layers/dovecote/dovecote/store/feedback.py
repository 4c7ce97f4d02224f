"""What the provider told of a send, written down in one transaction."""

from collections.abc import Mapping

import psycopg

from dovecote.core import transitions
from dovecote.core.feedback import DeliveryEvent, Feedback, Verdict
from dovecote.core.transitions import DeadLetter, Publish, Recorded
from dovecote.store import acceptances
from dovecote.store.database import Opened
from dovecote.store.rows import rows
from dovecote.store.statements import statement

Parameters = Mapping[str, object]


def record_feedback(connection: Opened, feedback: Feedback) -> bool:
    """Write down what was told of a send; return whether its route changed.

    What is known of the email comes first, before its route is locked, as finalisers do.
    """
    parameters = _parameters(feedback)
    kinds = rows(connection, "kind_of", parameters)
    if not kinds:
        return False
    parameters["template_id"] = kinds[0]["kind"]
    if not _news(connection, feedback, parameters):
        return False
    if not rows(connection, "lock_route", parameters):
        raise psycopg.Rollback  # it was purged meanwhile: what is on record goes with it
    if feedback.note is not None:
        _note(connection, feedback.note, parameters)
    route = Recorded(**rows(connection, "recorded", parameters)[0])
    return _settled(connection, transitions.told(route, feedback), parameters)


def _parameters(feedback: Feedback) -> dict[str, object]:
    note = feedback.note
    return {
        "route_id": feedback.route_id,
        "key": str(feedback.route_id),
        "claim": feedback.claim,
        "message_id": feedback.message_id,
        "error": feedback.error,
        "expires_at": None,
        "event": note and note.event,
        "at": note and note.at,
        "reason": note and note.reason,
        "bounce_type": note and note.bounce_type,
    }


def _news(connection: Opened, feedback: Feedback, parameters: Parameters) -> bool:
    """Put what is known of an email on record; return whether the route is to hear of it."""
    if feedback.known is Verdict.NOT_SENT:
        return bool(rows(connection, "record_rejection", parameters))
    acceptance = (str(parameters["template_id"]), str(feedback.route_id), feedback.message_id)
    acceptances.record(connection, [acceptance])
    if feedback.note is not None:
        connection.execute(statement("note_on_delivery"), parameters)
    return True


def _note(connection: Opened, note: DeliveryEvent, parameters: Parameters) -> None:
    """Note what became of an email, and suppress its address where that follows.

    Only once: an address that was let go since is not suppressed by what is told again.
    """
    news = rows(connection, "note", parameters)
    suppression = transitions.suppressed(note)
    if news and suppression is not None:
        connection.execute(statement("suppress"), {**parameters, "suppression": suppression})


def _settled(connection: Opened, end: Publish | DeadLetter | None, parameters: Parameters) -> bool:
    match end:
        case Publish():
            connection.execute(statement("settle"), parameters)
        case DeadLetter(reason=reason):
            connection.execute(statement("reject"), {**parameters, "reason": str(reason)})
    return end is not None
