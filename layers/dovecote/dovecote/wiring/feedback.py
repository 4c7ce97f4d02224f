"""The use case of functions/feedback."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from dovecote.wiring.database import database

if TYPE_CHECKING:
    from dovecote.feedback.record_feedback import RecordFeedback


@cache
def record_feedback() -> RecordFeedback:
    """Return the use case of provider events."""
    from dovecote.feedback.record_feedback import RecordFeedback
    from dovecote.store.feedback import PostgresFeedback

    return RecordFeedback(store=PostgresFeedback(database()))
