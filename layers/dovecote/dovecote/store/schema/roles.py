"""The database users of the functions, each with the rights of grants/<function>.sql.

They have the same role settings as the role that migrates. Producers that submit in SQL have a role
too.
"""

import random
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.resources import files

import psycopg
from psycopg import errors, sql

from dovecote.store.schema.migrate import alone, tune_role

FUNCTIONS = ("Api", "Dispatch", "Feedback", "Purge", "Submit")
"""The functions that have a user: all but the one that provisions."""

IAM = "rds_iam"
"""A member of this role connects with an IAM token; it exists only on RDS and Aurora."""

PRODUCER = "Producer"
"""The role that may submit in SQL. It cannot log in; an operator grants it to producers."""

MOST_BYTES = 63
"""PostgreSQL truncates longer names."""

MOST_MEETINGS = 20
"""How often making users begins again after a conflict; each time another provision succeeded."""

_MET = (
    errors.DuplicateObject,
    errors.UniqueViolation,
    errors.DeadlockDetected,
    # "tuple concurrently updated", which has no code of its own.
    errors.InternalError_,
)
"""The errors of making a user while another database of the cluster makes it too."""

# Revokes the rights of earlier releases, in one transaction with the new grants. If the owner of
# the tables does not own the database, PostgreSQL warns about the last line and skips it.
_NOTHING = """
revoke all on all tables in schema dovecote from {user};
revoke all on all functions in schema dovecote from {user}, public;
revoke all on schema dovecote from {user};
grant usage on schema dovecote to {user};
grant connect on database {database} to {user};
"""


class BadUsers(Exception):
    """Requested users are not possible; the message says which and why."""


def make_users(connection: psycopg.Connection, users: Mapping[str, str]) -> None:
    """Create the database user of each function, or update its grants to this release.

    `users` are names by function, and the name of the producers' role by PRODUCER. The connection
    is an open autocommit one to a migrated database. One name may serve several functions. Raises
    BadUsers; PostgreSQL's errors have the name of the user in their notes.
    """
    _check(users, connection.info.user)
    with alone(connection):
        for conflicts in range(1, MOST_MEETINGS):
            with suppress(*_MET):
                return _make(connection, users)
            # Not cryptography: a random and growing delay keeps the two from further conflicts.
            time.sleep(random.uniform(0, 0.1 * conflicts))  # noqa: S311
        return _make(connection, users)


def grants(function: str) -> str:
    """Return the text of grants/<function>.sql, with {user} in place of the user's name."""
    folder = files("dovecote.store.schema").joinpath("grants")
    return folder.joinpath(f"{function.lower()}.sql").read_text("utf-8")


def _check(users: Mapping[str, str], owner: str) -> None:
    for function, user in users.items():
        if function not in (*FUNCTIONS, PRODUCER):
            raise BadUsers(
                f"Users: {function}: must be one of: {', '.join((*FUNCTIONS, PRODUCER))}"
            )
        if not user or len(user.encode()) > MOST_BYTES:
            raise BadUsers(f"Users: {function}: the name must have 1 to {MOST_BYTES} bytes")
        if user == owner:
            raise BadUsers(f"Users: {function}: must not be {user}, the owner of the tables")
    producer = users.get(PRODUCER)
    if producer is not None and list(users.values()).count(producer) > 1:
        raise BadUsers(f"Users: {PRODUCER}: must not be {producer}, a function's user")


def _make(connection: psycopg.Connection, users: Mapping[str, str]) -> None:
    """Revoke all rights before the first grant, in one order, so two provisions cannot deadlock."""
    with connection.transaction():
        for user in sorted(set(users.values())):
            if user == users.get(PRODUCER):
                _group(connection, user)
            else:
                _login(connection, user)
                tune_role(connection, user)
            _execute(connection, _NOTHING, user)
        for function, user in sorted(users.items()):
            _execute(connection, grants(function), user)


def _login(connection: psycopg.Connection, user: str) -> None:
    verb = "alter" if _exists(connection, user) else "create"
    _execute(connection, verb + " role {user} login", user)
    if _exists(connection, IAM):
        _execute(connection, f"grant {IAM} to {{user}}", user)


def _group(connection: psycopg.Connection, role: str) -> None:
    if not _exists(connection, role):
        _execute(connection, "create role {user} nologin", role)


def _exists(connection: psycopg.Connection, role: str) -> bool:
    return connection.execute("select from pg_roles where rolname = %s", (role,)).rowcount == 1


def _execute(connection: psycopg.Connection, text: str, user: str) -> None:
    names = {"user": sql.Identifier(user), "database": sql.Identifier(connection.info.dbname)}
    try:
        connection.execute(sql.SQL(text).format(**names))
    except psycopg.Error as error:
        error.add_note(user)
        raise
