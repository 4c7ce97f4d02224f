"""Which routes a notification has: those that each channel of its kind plans for a recipient."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import msgspec
from msgspec.structs import replace

from dovecote.catalog.kinds import Kind
from dovecote.channels.planning import Planner
from dovecote.core.device import Device
from dovecote.core.notification import Recipient
from dovecote.core.parsing import strict_json
from dovecote.core.route import NewRoute


class Routing(msgspec.Struct, frozen=True):
    """Plans the routes of a notification; `planners` has the planner of each channel."""

    planners: Mapping[str, Planner]

    def uses_devices(self, kind: Kind) -> bool:
        """Return whether the routes of a kind depend on the devices of its recipients."""
        return any(self.planners[channel].uses_devices for channel in kind.channels)

    def routes(
        self,
        kind: Kind,
        recipients: Sequence[Recipient],
        devices: Sequence[Device],
        *,
        at_once: int,
    ) -> list[NewRoute]:
        """Return the routes of a notification in the order of its recipients.

        The first `at_once` of them that are not skipped are marked to be stored as claimed.
        """
        owned: dict[str, list[Device]] = {}
        for device in devices:
            owned.setdefault(device.user_id, []).append(device)
        routes = [
            route
            for recipient in recipients
            for route in self._to(recipient, kind, owned.get(recipient.user_id or "", ()))
        ]
        tried = {route.route_id for route in islice(_triable(routes), at_once)}
        return [replace(r, claimed=True) if r.route_id in tried else r for r in routes]

    def _to(
        self, recipient: Recipient, kind: Kind, devices: Sequence[Device]
    ) -> Iterator[NewRoute]:
        """Yield the routes to one recipient; all share the one text of the recipient's data."""
        data = None if recipient.data is None else strict_json.text(recipient.data)
        for channel in kind.channels:
            for route in self.planners[channel].routes(recipient, devices):
                yield route if data is None else replace(route, data=data)


def _triable(routes: Sequence[NewRoute]) -> Iterator[NewRoute]:
    return (route for route in routes if route.skip is None)
