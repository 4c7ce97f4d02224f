"""What a file system reports after a send: nothing."""

from collections.abc import Sequence

from dovecote.core.feedback import BadEvent, Feedback


def read(text: str) -> Sequence[Feedback]:
    """Raise BadEvent: no document is of this channel."""
    raise BadEvent(f"a file system sends no events, and this has {len(text)} characters")
