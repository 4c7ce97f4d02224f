"""What feedback needs from the store. Every call may raise StoreError."""

from datetime import datetime
from typing import Protocol

from dovecote.core.feedback import Feedback


class FeedbackStore(Protocol):
    """The record of what providers report after a send."""

    def record_feedback(self, feedback: Feedback) -> bool:
        """Record a provider event of a send; return whether its route changed."""

    def mark_device_dead(self, endpoint: str, reported_at: datetime) -> bool:
        """Mark the device dead that the provider reported; return whether it was alive."""
