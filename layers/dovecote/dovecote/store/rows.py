"""The rows of a statement, by the names of its columns."""

from collections.abc import Mapping
from typing import Any

from psycopg.rows import dict_row

from dovecote.store.database import Opened
from dovecote.store.statements import statement


def rows(connection: Opened, name: str, parameters: Mapping[str, object]) -> list[dict[str, Any]]:
    """Run the statement of a name and return its rows."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement(name), parameters).fetchall()
