"""Acceptances of emails: who learns of one writes it down, and nobody takes it back."""

from collections.abc import Iterable, Mapping

from dovecote.store.database import Opened
from dovecote.store.statements import statement

Acceptance = tuple[str, str, str]
"""The template of an email, its key and the message's id."""


def record(connection: Opened, acceptances: Iterable[Acceptance]) -> None:
    """Put accepted emails on record, in one order so that two workers cannot deadlock.

    What was on record before is looked at again: another message of the same email is kept too.
    """
    parameters = in_order(acceptances)
    new = connection.execute(statement("record_acceptances"), parameters).rowcount
    if new < len(parameters["keys"]):
        record_further(connection, parameters)


def in_order(acceptances: Iterable[Acceptance]) -> dict[str, list[str]]:
    """Return the parameters of acceptances, in the order in which they are locked."""
    ordered = sorted(acceptances, key=lambda acceptance: acceptance[1])
    return {
        "template_ids": [template for template, _, _ in ordered],
        "keys": [key for _, key, _ in ordered],
        "accepted_ids": [message_id for _, _, message_id in ordered],
    }


def record_further(connection: Opened, parameters: Mapping[str, list[str]]) -> None:
    """Put acceptances on record of emails that have another message on record."""
    connection.execute(statement("record_further_acceptances"), parameters)
