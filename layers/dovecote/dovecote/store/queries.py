"""Run the statements of sql/."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import psycopg
from psycopg import errors, generators
from psycopg.adapt import Transformer
from psycopg.pq import ExecStatus, Format
from psycopg.rows import BaseRowFactory, class_row, dict_row

from dovecote.store.database import Database, Opened
from dovecote.store.statements import numbered, statement

Parameters = Mapping[str, object]
T = TypeVar("T")
P = ParamSpec("P")
Q = TypeVar("Q", bound="Queries")


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


def raw_rows(connection: Opened, name: str, parameters: Parameters) -> list[tuple[Any, ...]]:
    """Run the statement of a name with libpq directly and return its rows; raise psycopg's errors.

    A cursor of psycopg parses the query and its parameters on each call and wraps the answer. That
    costs 40 us of the 310 us that storing a notification takes.
    """
    return _answer(connection, name, parameters)[1]


def named_rows(connection: Opened, name: str, parameters: Parameters) -> list[dict[str, Any]]:
    """Run a statement as `raw_rows` does, and return its rows by column."""
    names, found = _answer(connection, name, parameters)
    return [dict(zip(names, row, strict=True)) for row in found]


def _answer(
    connection: Opened, name: str, parameters: Parameters
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the columns and rows of a statement that libpq runs directly."""
    text, names = numbered(name)
    values = [_text(parameters[name]) for name in names]
    connection.pgconn.send_query_params(text, values, result_format=Format.BINARY)
    (result,) = connection.wait(generators.execute(connection.pgconn))
    if result.status != ExecStatus.TUPLES_OK:
        raise errors.error_from_result(result, connection.info.encoding)
    answer = Transformer(connection)
    answer.set_pgresult(result)
    columns = [(result.fname(column) or b"").decode() for column in range(result.nfields)]
    return columns, answer.load_rows(0, result.ntuples, tuple)


def _text(value: object) -> bytes | None:
    """Return a parameter in PostgreSQL's text format, whatever its type in the statement."""
    if value is None:
        return None
    text = (_array(value) if isinstance(value, list) else _single(value)).encode()
    if b"\0" in text:
        raise psycopg.DataError("PostgreSQL has no text with NUL in it")
    return text


def _single(value: object) -> str:
    return f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)


def _array(values: Sequence[object]) -> str:
    quoted = (_single(value).replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{text}"' for text in quoted) + "}"


class Queries:
    """Base of the classes that each run the statements of one capability.

    All of them share one Database. Every method may raise StoreError.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def _rows(self, name: str, **parameters: object) -> list[dict[str, Any]]:
        """Run a statement by itself and return its rows by column."""
        return self.database.ask(lambda connection: rows(connection, name, parameters))

    def _all(self, shape: type[T], name: str, **parameters: object) -> list[T]:
        """Run a statement by itself and return its rows, each as a value of a type."""
        factory = class_row(shape)
        return self.database.ask(
            lambda connection: cursor(connection, name, parameters, factory).fetchall()
        )

    def _one(self, shape: type[T], name: str, **parameters: object) -> T | None:
        """Run a statement by itself and return its only row as a value of a type, if it has one."""
        return next(iter(self._all(shape, name, **parameters)), None)

    def _count(self, name: str, **parameters: object) -> int:
        """Run a statement by itself and return how many rows it wrote."""
        return self.database.ask(lambda connection: execute(connection, name, parameters).rowcount)


def in_transaction(
    work: Callable[Concatenate[Q, Opened, P], T],
) -> Callable[Concatenate[Q, P], T]:
    """Run a method in a transaction of its own; it must be safe to run twice."""

    @wraps(work)
    def run(queries: Q, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return queries.database.run(lambda connection: work(queries, connection, *args, **kwargs))

    return run
