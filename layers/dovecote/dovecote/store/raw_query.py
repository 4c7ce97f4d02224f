"""Run a statement with libpq directly, without psycopg's cursor.

A cursor parses the query and its parameters on each call and wraps the answer. That costs 40 us of
the 310 us that storing a notification takes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import errors, generators
from psycopg.adapt import Transformer
from psycopg.pq import ExecStatus, Format

from dovecote.store.statements import numbered

Row = tuple[Any, ...]


def raw_rows(
    connection: psycopg.Connection[tuple[object, ...]], name: str, parameters: Mapping[str, object]
) -> list[Row]:
    """Run the statement of a name and return its rows; raise psycopg's errors."""
    text, names = numbered(name)
    values = [_text(parameters[name]) for name in names]
    connection.pgconn.send_query_params(text, values, result_format=Format.BINARY)
    (result,) = connection.wait(generators.execute(connection.pgconn))
    if result.status != ExecStatus.TUPLES_OK:
        raise errors.error_from_result(result, connection.info.encoding)
    answer = Transformer(connection)
    answer.set_pgresult(result)
    return answer.load_rows(0, result.ntuples, tuple)


def _text(value: object) -> bytes | None:
    """Return a parameter in PostgreSQL's text format, whatever its type in the statement."""
    if value is None:
        return None
    text = (_array(value) if isinstance(value, list) else str(value)).encode()
    if b"\0" in text:
        raise psycopg.DataError("PostgreSQL has no text with NUL in it")
    return text


def _array(texts: Sequence[str]) -> str:
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{text}"' for text in quoted) + "}"
