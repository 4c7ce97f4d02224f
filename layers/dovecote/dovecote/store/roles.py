"""The database users of the functions: one each, which may do what grants/<function>.sql says.

What every statement relies on is set for each of them too, as for the role that migrates. Beside
them is the role of producers that submit in SQL.
"""

import random
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.resources import files

import psycopg
from psycopg import errors, sql

from dovecote.store.migrate import alone, tune_role

FUNCTIONS = ("Api", "Dispatch", "Feedback", "Purge", "Submit")
"""Whose users there are: the functions that serve, and not the one that provisions."""

IAM = "rds_iam"
"""Who has this role connects by IAM; it is there on RDS and Aurora alone."""

PRODUCER = "Producer"
"""The role that may submit in SQL: nobody logs in as it, and an operator grants it to producers."""

MOST_BYTES = 63
"""PostgreSQL would cut a longer name off."""

MOST_MEETINGS = 20
"""How often users are begun anew; each time another provision has come through."""

_MET = (
    errors.DuplicateObject,
    errors.UniqueViolation,
    errors.DeadlockDetected,
    # "tuple concurrently updated", which has no code of its own.
    errors.InternalError_,
)
"""What comes of making a user that is made for another database of the cluster at once."""

# What an earlier release gave goes, in one transaction with what comes in its place. Where the
# owner of the tables does not own the database, PostgreSQL warns of the last line and skips it.
_NOTHING = """
revoke all on all tables in schema dovecote from {user};
revoke all on all functions in schema dovecote from {user}, public;
revoke all on schema dovecote from {user};
grant usage on schema dovecote to {user};
grant connect on database {database} to {user};
"""


class BadUsers(Exception):
    """The users that were asked for cannot be; the message says which and why."""


def make_users(connection: psycopg.Connection, users: Mapping[str, str]) -> None:
    """Make the database user of each function, or give it the grants of this release.

    `users` are names by function, and that of the role of producers by PRODUCER, on an open
    autocommit connection to a migrated database. A name may serve more than one function. Raises
    BadUsers; an error of PostgreSQL has the name of the user in its notes.
    """
    _check(users, connection.info.user)
    with alone(connection):
        for _ in range(MOST_MEETINGS - 1):
            with suppress(*_MET):
                return _make(connection, users)
            # Not cryptography: those that met do not meet again.
            time.sleep(random.uniform(0, 0.2))  # noqa: S311
        return _make(connection, users)


def grants(function: str) -> str:
    """Return the text of grants/<function>.sql, with {user} where the user's name goes."""
    folder = files("dovecote.store").joinpath("grants")
    return folder.joinpath(f"{function.lower()}.sql").read_text("utf-8")


def _check(users: Mapping[str, str], owner: str) -> None:
    for function, user in users.items():
        if function not in (*FUNCTIONS, PRODUCER):
            raise BadUsers(f"Users: {function} is none of {', '.join((*FUNCTIONS, PRODUCER))}")
        if not user or len(user.encode()) > MOST_BYTES:
            raise BadUsers(f"Users: the name for {function} is not 1 to {MOST_BYTES} bytes long")
        if user == owner:
            raise BadUsers(f"Users: {function} cannot be {user}, who owns the tables")
    producer = users.get(PRODUCER)
    if producer is not None and list(users.values()).count(producer) > 1:
        raise BadUsers(f"Users: {PRODUCER} cannot be {producer}, who is a function's user")


def _make(connection: psycopg.Connection, users: Mapping[str, str]) -> None:
    """Take all rights before any is given, in one order, so that two provisions cannot deadlock."""
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
