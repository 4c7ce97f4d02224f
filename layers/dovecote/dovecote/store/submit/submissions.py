"""Store new notifications."""

from collections.abc import Sequence

import msgspec

from dovecote.channels import lanes
from dovecote.core.claim import Lease
from dovecote.core.device import Device
from dovecote.core.notification import NewNotification
from dovecote.core.route import NewRoute
from dovecote.core.stored import DevicesFound, Stored
from dovecote.store.database import Database
from dovecote.store.raw_query import raw_rows
from dovecote.store.submit.notifications import PostgresNotifications
from dovecote.store.submit.stored_rows import StoredRows


class PostgresSubmissions(PostgresNotifications):
    """New notifications, the devices they go to, and earlier ones with the same key."""

    def __init__(self, database: Database, *, default_max_attempts: int) -> None:
        super().__init__(database)
        self._default_max_attempts = default_max_attempts

    def submit(
        self,
        notification: NewNotification,
        lease: Lease,
        *,
        unless_devices_of: Sequence[str] = (),
    ) -> Stored | None:
        """Store a notification with its routes in one statement; return None if its key is taken.

        Raises DevicesFound, with nothing stored, if one of those users has a live device.
        """
        parameters = _parameters(notification, lease, unless_devices_of)
        ((created_at, due_at, devices, suppressed),) = self._database.ask(
            lambda connection: raw_rows(connection, "submit/submit", parameters)
        )
        if devices is not None:
            raise DevicesFound(msgspec.json.decode(devices, type=list[Device]))
        if created_at is None:
            return None
        rows = StoredRows(
            notification=notification,
            token=lease.token,
            default_max_attempts=self._default_max_attempts,
            created_at=created_at,
            due_at=due_at,
            suppressed=msgspec.json.decode(suppressed or "{}", type=dict[int, str]),
        )
        return rows.stored()

    def devices(self, user_ids: Sequence[str]) -> list[Device]:
        """Return the devices of these users, the oldest first."""
        found = self._rows("submit/devices", user_ids=list(user_ids))
        return [Device(**row) for row in found]


def _parameters(
    notification: NewNotification, lease: Lease, unless_devices_of: Sequence[str]
) -> dict[str, object]:
    submission = notification.submission
    return {
        "notification_id": notification.notification_id,
        "kind": submission.kind,
        "idempotency_key": submission.idempotency_key,
        "fingerprint": submission.fingerprint,
        "payload": submission.payload_text,
        "traceparent": submission.traceparent,
        "deliver_at": submission.deliver_at,
        "priority": lanes.PRIORITIES[notification.priority],
        "max_attempts": notification.max_attempts,
        "expires_in": notification.expires_in,
        "token": lease.token,
        "lease": lease.seconds,
        "routes": _routes_json(notification.routes),
        "unless_devices_of": list(unless_devices_of),
    }


def _routes_json(routes: Sequence[NewRoute]) -> str:
    rows = [
        {
            "route_id": route.route_id,
            "position": position,
            "channel": route.channel,
            "target": route.target,
            "user_id": route.user_id,
            "device_session_id": route.device_session_id,
            "resolved_email": route.resolved_email,
            "locale": route.locale,
            "data": route.data,
            "skip": route.skip,
            "claimed": route.claimed,
        }
        for position, route in enumerate(routes)
    ]
    return msgspec.json.encode(rows).decode()
