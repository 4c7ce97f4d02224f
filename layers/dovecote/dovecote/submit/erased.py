"""Take erased people out of a notification before it is stored."""

from collections.abc import Collection
from uuid import UUID

from msgspec.structs import replace

from dovecote.core.notification import NewNotification
from dovecote.core.route import NewRoute

ERASED = "recipient is erased"


def without(notification: NewNotification, erased: Collection[UUID]) -> NewNotification:
    """Return a notification that skips these routes and holds nothing of their people.

    If no other route names a person, it has an empty payload.
    """
    routes = [_skipped(r) if r.route_id in erased else r for r in notification.routes]
    submission = notification.submission
    if not any(route.names_person for route in routes):
        submission = replace(submission, payload={}, payload_text="{}")
    return replace(notification, routes=routes, submission=submission)


def _skipped(route: NewRoute) -> NewRoute:
    return replace(
        route,
        user_id=None,
        device_session_id=None,
        address=None,
        locale=None,
        data=None,
        skip=ERASED,
        claimed=False,
        endpoint=None,
    )
