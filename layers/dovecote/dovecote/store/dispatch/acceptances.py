"""The record of accepted emails. Whoever learns of an acceptance adds it; nothing removes one."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from dovecote.store.database import Opened
from dovecote.store.queries import Queries, execute

Acceptance = tuple[str, str, str]
"""The template of an email, its key and the message's id."""


class PostgresAcceptances(Queries):
    """Reads which emails the provider accepted."""

    def accepted(self, routes: Sequence[tuple[str, UUID]]) -> dict[UUID, str]:
        """Return the message ids of those emails (template, route) that are on record."""
        found = self._rows(
            "dispatch/accepted",
            template_ids=[template for template, _ in routes],
            keys=[str(route_id) for _, route_id in routes],
        )
        return {UUID(row["idempotency_key"]): row["message_id"] for row in found}


def record(connection: Opened, acceptances: Iterable[Acceptance]) -> None:
    """Put accepted emails on record, in one order so that two workers cannot deadlock.

    An email that was on record before with another message keeps both.
    """
    parameters = in_order(acceptances)
    new = execute(connection, "dispatch/record_acceptances", parameters).rowcount
    if new < len(parameters["keys"]):
        record_further(connection, parameters)


def in_order(acceptances: Iterable[Acceptance]) -> dict[str, list[str]]:
    """Return the parameters for these acceptances, in the order in which rows are locked."""
    ordered = sorted(acceptances, key=lambda acceptance: acceptance[1])
    return {
        "template_ids": [template for template, _, _ in ordered],
        "keys": [key for _, key, _ in ordered],
        "accepted_ids": [message_id for _, _, message_id in ordered],
    }


def record_further(connection: Opened, parameters: Mapping[str, list[str]]) -> None:
    """Put acceptances on record of emails that have another message on record."""
    execute(connection, "dispatch/record_further_acceptances", parameters)
