"""Plan the route to a file, and check that its line can be rendered."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from dovecote.catalog.kinds import Kind
from dovecote.catalog.rendering import Renderer
from dovecote.channels.file.kind import LINE
from dovecote.channels.file.settings import FileSettings
from dovecote.core.device import UserDevice
from dovecote.core.notification import Recipient, Submission
from dovecote.core.route import NewRoute, Target


class FilePlanner:
    """Plans one route to the file of a recipient."""

    uses_devices = False

    def __init__(self, renderer: Renderer, new_id: Callable[[], UUID]) -> None:
        self._renderer = renderer
        self._new_id = new_id

    def routes(self, recipient: Recipient, _devices: Sequence[UserDevice]) -> Sequence[NewRoute]:
        """Return the route to a recipient's file, or the skip of one who has none."""
        address = recipient.address("file")
        route = NewRoute(
            route_id=self._new_id(),
            channel="file",
            target=Target.ADDRESS,
            user_id=recipient.user_id,
            device_session_id=None,
            address=address,
            locale=recipient.locale,
            data=None,
            skip="recipient has no file" if address is None else None,
        )
        return [route]

    def check(
        self,
        kind: Kind,
        _submission: Submission,
        recipient: Recipient,
        variables: Mapping[str, Any],
    ) -> None:
        """Raise RenderError where the line cannot be rendered."""
        self._renderer.check_text(kind, recipient.locale, LINE, variables)


def planner(_settings: FileSettings, renderer: Renderer, new_id: Callable[[], UUID]) -> FilePlanner:
    """Return what plans routes to files."""
    return FilePlanner(renderer, new_id)
