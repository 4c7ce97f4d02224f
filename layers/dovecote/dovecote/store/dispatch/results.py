"""Write the results of claimed routes, and the record of accepted emails.

Each worker that learns of an acceptance records it; nothing removes a record.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

import msgspec

from dovecote.core.transitions import DeadLetter, Deferral, Doubt, Retry
from dovecote.store.database import Opened
from dovecote.store.people.devices import mark_device_dead
from dovecote.store.queries import Queries, execute, raw_rows, rows


class PostgresTransaction(msgspec.Struct):
    """The writes of one transaction, which the caller of `transaction` commits."""

    connection: Opened

    def publish(self, token: UUID, message_ids: Mapping[UUID, str]) -> int:
        """Make routes published; return how many."""
        return _publish(self.connection, token, message_ids, in_order({}))[1]

    def record_acceptances(self, acceptances: Mapping[UUID, str]) -> None:
        """Put the accepted emails of routes on record."""
        record_acceptances(self.connection, acceptances)

    def retry(self, token: UUID, retries: Mapping[UUID, Retry | Doubt]) -> dict[UUID, datetime]:
        """Make routes due again, in doubt where there is a hold; return their due times."""
        parameters = {"token": token, "retries": _json(retries)}
        found = rows(self.connection, "dispatch/retry", parameters)
        return {row["route_id"]: row["next_attempt_at"] for row in found}

    def dead_letter(self, token: UUID, ends: Mapping[UUID, DeadLetter]) -> set[UUID]:
        """Make routes dead letters, each with its row; return the routes."""
        return self._route_ids("dispatch/dead_letter", token=token, ends=_json(ends))

    def skip(self, token: UUID, reasons: Mapping[UUID, str]) -> set[UUID]:
        """Make routes skipped; return them."""
        return self._route_ids("dispatch/skip", token=token, reasons=_json(reasons))

    def give_back(
        self,
        token: UUID,
        route_ids: Sequence[UUID],
        *,
        lapsed: bool,
        hold: float,
        behind: str | None = None,
        delay: float = 0.0,
    ) -> int:
        """Give back routes whose send did not begin; return how many."""
        return self._count(
            "dispatch/give_back",
            token=token,
            route_ids=list(route_ids),
            lapsed=lapsed,
            hold=hold,
            behind=behind,
            delay=delay,
        )

    def defer(
        self,
        token: UUID,
        deferrals: Mapping[UUID, Deferral],
        *,
        lapsed: bool,
        hold: float,
        behind: str,
    ) -> int:
        """Give back refused routes, each due after those that wait; return how many."""
        return self._count(
            "dispatch/defer",
            token=token,
            deferrals=_json(deferrals),
            lapsed=lapsed,
            hold=hold,
            behind=behind,
        )

    def mark_device_dead(self, endpoint: str, route_id: UUID) -> None:
        """Mark the device of an endpoint dead, unless it registered after the route's attempt."""
        found = rows(self.connection, "dispatch/attempted_at", {"route_id": route_id})
        attempted_at = found[0]["last_attempt_at"] if found else None
        mark_device_dead(self.connection, endpoint, attempted_at)

    def _count(self, name: str, **parameters: object) -> int:
        return execute(self.connection, name, parameters).rowcount

    def _route_ids(self, name: str, **parameters: object) -> set[UUID]:
        return {row["route_id"] for row in rows(self.connection, name, parameters)}


class PostgresResults(Queries):
    """Writes results, in one statement or in a transaction, and reads acceptances."""

    def accepted(self, route_ids: Sequence[UUID]) -> dict[UUID, str]:
        """Return the message ids of those routes whose emails are on record."""
        found = self._rows("dispatch/accepted", route_ids=list(route_ids))
        return {row["route_id"]: row["message_id"] for row in found}

    def publish(
        self,
        token: UUID,
        message_ids: Mapping[UUID, str],
        acceptances: Mapping[UUID, str],
    ) -> int:
        """Put accepted emails on record and make routes published, in one round trip.

        Return how many were published. Commits everything or nothing.
        """
        return self._publish(token, message_ids, acceptances)[0]

    def _publish(
        self,
        token: UUID,
        message_ids: Mapping[UUID, str],
        acceptances: Mapping[UUID, str],
    ) -> tuple[int, datetime | None]:
        """Return how many routes were published, and when."""
        emails = in_order(acceptances)

        def work(connection: Opened) -> tuple[int, datetime | None]:
            recorded, published, at = _publish(connection, token, message_ids, emails)
            if recorded < len(acceptances):
                # An earlier attempt was accepted too. SES's event repeats what is lost here.
                record_further(connection, emails)
            return published, at

        return self.database.ask(work)

    def remove_secrets(self, route_ids: Sequence[UUID]) -> None:
        """Remove the secret payloads of these routes whose notifications have no live route."""
        self._rows("dispatch/remove_secrets", route_ids=list(route_ids))

    @contextmanager
    def transaction(self) -> Iterator[PostgresTransaction]:
        """Open a transaction; it commits when the context ends without an error."""
        with self.database.transaction() as connection:
            yield PostgresTransaction(connection)


def _publish(
    connection: Opened,
    token: UUID,
    message_ids: Mapping[UUID, str],
    emails: Mapping[str, object],
) -> tuple[int, int, datetime | None]:
    """Put emails on record and publish routes; return how many of each, and when."""
    parameters = {**emails, "token": token, "message_ids": _json(message_ids)}
    ((recorded, published, at),) = raw_rows(connection, "dispatch/publish_accepted", parameters)
    return recorded, published, at


def _json(by_route: object) -> str:
    """Return values by route id as one JSON text; msgspec writes the ids as they are."""
    return msgspec.json.encode(by_route).decode()


def record_acceptances(connection: Opened, acceptances: Mapping[UUID, str]) -> None:
    """Put accepted emails on record, in one order so that two workers cannot deadlock.

    An email that was on record before with another message keeps both.
    """
    parameters = in_order(acceptances)
    new = execute(connection, "dispatch/record_acceptances", parameters).rowcount
    if new < len(acceptances):
        record_further(connection, parameters)


def in_order(acceptances: Mapping[UUID, str]) -> dict[str, list[UUID] | list[str]]:
    """Return the parameters for these acceptances, in the order in which rows are locked."""
    route_ids = sorted(acceptances)
    return {"route_ids": route_ids, "accepted_ids": [acceptances[each] for each in route_ids]}


def record_further(connection: Opened, parameters: Mapping[str, object]) -> None:
    """Put acceptances on record of emails that have another message on record."""
    execute(connection, "dispatch/record_further_acceptances", parameters)
