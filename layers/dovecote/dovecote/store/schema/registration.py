"""Register the channels in the database: the lanes of stored routes contain their numbers."""

from collections.abc import Mapping

import psycopg

from dovecote.core.errors import StoreFailed
from dovecote.store.queries import execute


def register(connection: psycopg.Connection, numbers: Mapping[str, int]) -> None:
    """Add the channels that are new, on an open autocommit connection to a migrated database.

    A channel that is no longer registered keeps its row. Raises StoreFailed, with nothing added, if
    a channel or a number is not what the database has for it.
    """
    with connection.transaction():
        known = {str(name): number for name, number in execute(connection, "schema/channels")}
        owners = {number: name for name, number in known.items()}
        for name, number in numbers.items():
            if known.get(name, number) != number:
                raise StoreFailed(
                    f"channel {name}: has number {number} in the registry and {known[name]} in the"
                    f" database: restore {known[name]}, stored routes depend on it"
                )
            if owners.get(number, name) != name:
                raise StoreFailed(
                    f"channel {name}: number {number} belongs to {owners[number]} in the database:"
                    " choose a number that no channel has had"
                )
        parameters = {"names": list(numbers), "numbers": list(numbers.values())}
        execute(connection, "schema/register_channels", parameters)
