"""What submit needs from the catalog."""

from collections.abc import Hashable
from typing import TYPE_CHECKING, Protocol

import msgspec

from dovecote.core.notification import Recipient, Submission

if TYPE_CHECKING:  # few functions check a payload
    from dovecote.catalog.kinds import Kind


class Oversized(msgspec.Struct, frozen=True):
    """A push notification that does not fit with the ids that it was measured with."""

    detail: str


class Preview(Protocol):
    """Tries whether the messages of a kind can be made, before anything is stored."""

    def texts(self, kind: "Kind", locale: str | None) -> Hashable:
        """Return which texts of a kind a locale has."""

    def reads(self, kind: "Kind", locale: str | None) -> frozenset[str]:
        """Return the variables that this reads in full to try a kind's messages."""

    def fault(
        self, kind: "Kind", submission: Submission, recipient: Recipient
    ) -> str | Oversized | None:
        """Return why a recipient's messages cannot be made, or None."""
