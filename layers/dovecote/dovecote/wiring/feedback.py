"""The use case of functions/feedback."""

from functools import cache

from dovecote.feedback.record_feedback import RecordFeedback
from dovecote.store.feedback import PostgresFeedback
from dovecote.wiring.clients import database


@cache
def record_feedback() -> RecordFeedback:
    """Return the use case of provider events."""
    return RecordFeedback(store=PostgresFeedback(database()))
