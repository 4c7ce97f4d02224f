"""Copy a little traffic of Dovecote's own code until it fills months.

The tables and columns come from the catalog of PostgreSQL. The times of a copy, and the times in
its ids, are earlier. Keys get the number of the copy, people the number of a group of copies, so
that each person has notifications in several copies.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from dovecote.store.person_hash import BYTES, PersonHash

Connection = psycopg.Connection[Any]

STATE = frozenset(
    {"channels", "channel_state", "handover", "inbox", "purge_place", "schema_migrations"}
)
"""The tables with the state of the service, which has no history."""

KEYS = frozenset({"idempotency_key", "message_id", "provider_message_id", "endpoint", "token"})
PEOPLE = frozenset({"user_id", "address", "device_session_id"})

GROUP = 10
"""A person has notifications in about so many copies."""

# Ids have the milliseconds since 1970 in their first 48 bits, so a later copy has later ids.
MOVED = """
create function moved(id uuid, back interval) returns uuid language sql immutable parallel safe
return (lpad(to_hex(
    ('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint
    - (extract(epoch from back) * 1000)::bigint & 281474976710655
), 12, '0') || right(replace(id::text, '-', ''), 20))::uuid
"""

COLUMNS = """
select relname, array_agg(array[attname, typname] order by attnum)
from pg_class c
join pg_attribute a on a.attrelid = c.oid and attnum > 0 and not attisdropped
    and attidentity = '' and attgenerated = ''
join pg_type t on t.oid = atttypid
where relnamespace = 'dovecote'::regnamespace and relkind = 'r'
group by relname
order by relname
"""

IDS_AND_TIMES = frozenset({"uuid", "timestamptz", "timestamp"})
VALUES = {
    "uuid": "moved({0}, %(back)s::interval)",
    "timestamptz": "{0} - %(back)s::interval",
    "timestamp": "{0} - %(back)s::interval",
    "text": "%(people)s::text || '-' || {0}",
    "bytea": f"substring(sha256({{0}} || %(people)s::text::bytea) for {BYTES})",
}
"""The value of a column in a copy, by its type: texts and hashes are of people."""

KEY = "%(copy)s::text || '-' || {0}"
"""A key in a copy."""

FILLING = ("set session_replication_role = replica", "set synchronous_commit = off")


class CopiedHash(PersonHash, frozen=True):
    """Computes the hashes of copied people from those of the original ones, as `VALUES` does."""

    def of(self, field: str, value: str) -> bytes:
        """Return the hash of a copied user or address."""
        people, _, original = value.partition("-")
        return hashlib.sha256(super().of(field, original) + people.encode()).digest()[:BYTES]


@dataclass(frozen=True, kw_only=True, slots=True)
class Traffic:
    """Rows in another schema, with the statements that copy them."""

    schema: str
    copies: int
    statements: Sequence[bytes]


def prepare(connection: Connection) -> None:
    """Prepare a session for copies."""
    for setting in FILLING:
        connection.execute(setting)
    connection.execute(MOVED)


def put_aside(connection: Connection, schema: str, copies: int, *, same_people: bool) -> Traffic:
    """Move the history into another schema, from which it is copied.

    Each group of copies has its own people, unless all have the same.
    """
    columns = _history(connection)
    connection.execute(f"create schema {schema}".encode())
    filled = []
    for table in columns:
        made = connection.execute(
            f"create table {schema}.{table} as table dovecote.{table}".encode()
        )
        filled += [table] if made.rowcount else []
    truncated = ", ".join(f"dovecote.{table}" for table in columns)
    connection.execute(f"truncate {truncated}".encode())
    connection.execute("vacuum analyze")
    statements = [_copying(schema, table, columns[table], same_people) for table in filled]
    return Traffic(schema=schema, copies=copies, statements=statements)


def grow(connection: Connection, days: int, traffics: Sequence[Traffic]) -> None:
    """Copy all traffic, from so many days ago until now, in the order of time."""
    for share, number, traffic in sorted(_copies(traffics), key=lambda copy: copy[0]):
        given = {"back": f"{days * (1 - share)} days", "copy": str(number)}
        given["people"] = str(number % (traffic.copies // GROUP + 1))
        for statement in traffic.statements:
            connection.execute(statement, given)


def _copies(traffics: Sequence[Traffic]) -> Iterator[tuple[float, int, Traffic]]:
    for traffic in traffics:
        for number in range(traffic.copies):
            yield (number + 0.5) / traffic.copies, number, traffic


def _history(connection: Connection) -> Mapping[str, Mapping[str, str]]:
    """Return the columns of each table with a history, and their types."""
    found = connection.execute(COLUMNS).fetchall()
    return {table: dict(columns) for table, columns in found if table not in STATE}


def _copying(schema: str, table: str, columns: Mapping[str, str], same_people: bool) -> bytes:
    values = ", ".join(_value(name, kind, same_people) for name, kind in columns.items())
    # An earlier copy of the group has the rows of people, which are of no notification.
    alone = "notification_id" not in columns
    return (
        f"insert into dovecote.{table} ({', '.join(columns)})"  # noqa: S608
        f" select {values} from {schema}.{table}{' on conflict do nothing' if alone else ''}"
    ).encode()


def _value(name: str, kind: str, same_people: bool) -> str:
    """Return the expression of a column in a copy."""
    of_person = not same_people and (name in PEOPLE or kind == "bytea")
    if kind == "text" and not of_person:
        return KEY.format(name) if name in KEYS else name
    return VALUES[kind].format(name) if kind in IDS_AND_TIMES or of_person else name
