"""A statement on its way to the server, past psycopg's cursor.

A cursor takes query and parameters apart each time and dresses the answer up, which costs 40 us of
the 310 that storing a notification takes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import errors, generators
from psycopg.adapt import Transformer
from psycopg.pq import ExecStatus, Format

from dovecote.store.statements import numbered

Row = tuple[Any, ...]


class RawQuery:
    """One statement of sql/, sent when it is made; its rows are there to be asked for once.

    The connection is for nothing else in between.
    """

    def __init__(
        self,
        connection: psycopg.Connection[tuple[object, ...]],
        name: str,
        parameters: Mapping[str, object],
    ) -> None:
        text, names = numbered(name)
        values = [_text(parameters[name]) for name in names]
        connection.pgconn.send_query_params(text, values, result_format=Format.BINARY)
        self._connection = connection

    def rows(self) -> list[Row]:
        """Wait for the answer; raise psycopg's errors."""
        connection = self._connection
        (result,) = connection.wait(generators.execute(connection.pgconn))
        if result.status != ExecStatus.TUPLES_OK:
            raise errors.error_from_result(result, connection.info.encoding)
        answer = Transformer(connection)
        answer.set_pgresult(result)
        return answer.load_rows(0, result.ntuples, tuple)


def _text(value: object) -> bytes | None:
    """Return a parameter as PostgreSQL reads it, whatever the type that it has there."""
    if value is None:
        return None
    text = (_array(value) if isinstance(value, list) else str(value)).encode()
    if b"\0" in text:
        raise psycopg.DataError("PostgreSQL has no text with NUL in it")
    return text


def _array(texts: Sequence[str]) -> str:
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return "{" + ",".join(f'"{text}"' for text in quoted) + "}"
