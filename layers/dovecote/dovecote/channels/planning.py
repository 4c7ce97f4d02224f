"""What submit asks of a channel, before anything is stored: its routes and its checks."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from dovecote.catalog.kinds import Kind
from dovecote.core.device import UserDevice
from dovecote.core.notification import Recipient, Submission
from dovecote.core.route import NewRoute


class Oversized(msgspec.Struct, frozen=True):
    """A message that does not fit with the ids that it was measured with."""

    detail: str


class Planner(Protocol):
    """Plans the routes of one channel."""

    uses_devices: bool
    """Whether the routes depend on the devices of a user."""

    def routes(
        self, recipient: Recipient, devices: Sequence[UserDevice] | None, /
    ) -> Iterable[NewRoute]:
        """Return the routes to a recipient who has these devices.

        A recipient that the channel cannot reach has one route, with the reason as its `skip`.
        Devices are None before a scheduled notification is due. A channel that uses devices then
        returns one route to the user (Target.USER), for which `routes` is called again at the due
        time, with the devices.
        """

    def check(
        self,
        kind: Kind,
        submission: Submission,
        recipient: Recipient,
        variables: Mapping[str, Any],
        /,
    ) -> str | Oversized | None:
        """Return why the message to a recipient cannot be made, or None; raise RenderError."""
