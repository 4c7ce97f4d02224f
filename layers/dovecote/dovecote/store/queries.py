"""Run the statements of sql/."""

from collections.abc import Mapping
from typing import Any, TypeVar

import psycopg
from psycopg.rows import BaseRowFactory, dict_row

from dovecote.store.database import Database, Opened
from dovecote.store.statements import statement

Parameters = Mapping[str, object]
T = TypeVar("T")


def execute(
    connection: Opened, name: str, parameters: Parameters | None = None
) -> psycopg.Cursor[tuple[object, ...]]:
    """Run the statement of a name."""
    return connection.execute(statement(name), parameters)


def cursor(
    connection: Opened,
    name: str,
    parameters: Parameters,
    row_factory: BaseRowFactory[T],
    *,
    binary: bool = False,
) -> psycopg.Cursor[T]:
    """Run the statement of a name; return its cursor, which makes its rows with the factory."""
    opened = connection.cursor(row_factory=row_factory)
    return opened.execute(statement(name), parameters, binary=binary)


def rows(connection: Opened, name: str, parameters: Parameters) -> list[dict[str, Any]]:
    """Run the statement of a name and return its rows by column."""
    return cursor(connection, name, parameters, dict_row).fetchall()


class Queries:
    """Base of the classes that each run the statements of one capability.

    All of them share one Database. Every method may raise StoreError.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def _rows(self, name: str, **parameters: object) -> list[dict[str, Any]]:
        """Run a statement by itself and return its rows by column."""
        return self._database.ask(lambda connection: rows(connection, name, parameters))

    def _count(self, name: str, **parameters: object) -> int:
        """Run a statement by itself and return how many rows it wrote."""
        return self._database.ask(lambda connection: execute(connection, name, parameters).rowcount)
