"""What is on record of emails, in the schema `dovecote`."""

from collections.abc import Mapping
from uuid import UUID

from dovecote.model import EmailRecord
from dovecote.store.database import Database
from dovecote.store.rows import rows


class PostgresDeliveries:
    """What became of emails that were accepted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, notification_id: UUID) -> Mapping[UUID, EmailRecord]:
        """Return what is on record of the emails of a notification, by route."""
        parameters = {"notification_id": notification_id}
        found = self._database.ask(lambda connection: rows(connection, "deliveries", parameters))
        return {row.pop("route_id"): EmailRecord(**row) for row in found}
