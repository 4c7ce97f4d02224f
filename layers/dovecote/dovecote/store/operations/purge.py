"""Delete old notifications and payloads."""

from uuid import UUID

from msgspec.structs import asdict

from dovecote.operations.purge import Batch, Purged
from dovecote.store.database import Opened
from dovecote.store.queries import Queries, execute, in_transaction, rows

AGED = {
    "submissions": "inbox/purge",
    "redrives": "purge/purge_redrives",
    "devices": "devices/delete_dead_devices",
}
"""The statements that delete records older than a number of days."""


class PostgresPurge(Queries):
    """Deletes notifications, and payloads of notifications, that ended long enough ago."""

    def place(self, payload_days: int | None, first: UUID) -> UUID:
        """Return the notification after which a purge continues; `first` once a day."""
        (row,) = self._rows("purge/purge_place", place=_place(payload_days), first=first)
        place: UUID = row["after_id"]
        return place

    @in_transaction
    def purge(self, connection: Opened, batch: Batch) -> Purged | None:
        """Delete the ended ones of the next old notifications; return None when none is left."""
        found = rows(connection, "purge/purgeable", asdict(batch))
        if not found:
            return None
        over = [row["notification_id"] for row in found if row["over"]]
        (counts,) = rows(connection, "purge/purge", {"notification_ids": over})
        return _keep_place(connection, None, found[-1]["notification_id"], counts)

    def payload_days(self) -> list[int]:
        """Return the different `payload_days` of the payloads that are stored."""
        return [row["days"] for row in self._rows("purge/payload_days")]

    @in_transaction
    def remove_payloads(self, connection: Opened, payload_days: int, batch: Batch) -> Purged | None:
        """Remove the payloads of the next ended notifications; return None when none is left."""
        parameters = {**asdict(batch), "payload_days": payload_days}
        found = rows(connection, "purge/removable", parameters)
        if not found:
            return None
        ended = [row["notification_id"] for row in found if row["ended"]]
        (counts,) = rows(connection, "purge/remove_payloads", {"notification_ids": ended})
        return _keep_place(connection, payload_days, found[-1]["notification_id"], counts)

    def purge_records(self, days: int, most: int) -> dict[str, int]:
        """Delete up to `most` old rows of each kind; return how many of each were deleted."""
        aged = AGED if days else {}
        return {
            "minutes": self._count("purge/purge_minutes", most=most),
            **{what: self._count(name, days=days, most=most) for what, name in aged.items()},
        }


def _keep_place(
    connection: Opened, payload_days: int | None, last: UUID, counts: dict[str, int]
) -> Purged:
    """Keep the place of the last notification that a batch read; return what the batch deleted."""
    parameters = {"place": _place(payload_days), "last": last}
    execute(connection, "purge/keep_purge_place", parameters)
    return Purged(last=last, **counts)


def _place(payload_days: int | None) -> str:
    return "notifications" if payload_days is None else f"payloads {payload_days}"
