"""Expand scheduled routes: at the due time, to the devices that their users have then."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec
from msgspec.structs import replace

from dovecote.channels.planning import Planner
from dovecote.core.device import UserDevice
from dovecote.core.notification import Recipient, ScheduledRoute
from dovecote.core.route import NewRoute
from dovecote.submit.build_notification import MAX_ROUTES, owned
from dovecote.submit.ports import ScheduledRoutes

TOO_MANY = f"notification would have more than {MAX_ROUTES:,} routes"


class ExpandScheduled(msgspec.Struct, frozen=True, kw_only=True):
    """The use case that expands due routes to users; `planners` has the planner of each channel."""

    planners: Mapping[str, Planner]
    routes: ScheduledRoutes

    def __call__(self, most: int) -> tuple[int, set[str]]:
        """Expand due routes, up to `most` of each lane, in one transaction; raise StoreError.

        Return how many were expanded, and the channels of the routes that are due now.
        """
        return self.routes.expand(self._planned, most)

    def _planned(
        self, due: Sequence[ScheduledRoute], devices: Sequence[UserDevice]
    ) -> list[tuple[UUID, NewRoute]]:
        """Return the routes that take the place of each scheduled one, as PlanScheduled says."""
        of_users = owned(device for device in devices if not device.dead)
        room = {one.notification_id: MAX_ROUTES - one.routes for one in due}
        planned: list[tuple[UUID, NewRoute]] = []
        for one in due:
            first, *further = self._to(one, of_users.get(one.user_id, ()))
            if len(further) > room[one.notification_id]:
                first, further = replace(first, skip=TOO_MANY), []
            room[one.notification_id] -= len(further)
            planned.append((one.route_id, replace(first, route_id=one.route_id)))
            planned += ((one.route_id, route) for route in further)
        return planned

    def _to(self, one: ScheduledRoute, devices: Sequence[UserDevice]) -> Sequence[NewRoute]:
        recipient = Recipient(user_id=one.user_id, device_session_id=one.device_session_id)
        return list(self.planners[one.channel].routes(recipient, devices))
