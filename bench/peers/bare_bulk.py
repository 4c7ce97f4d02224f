"""The least that a bulk submit could be: rows into Dovecote's own table, and nothing else.

    python -m bench.peers.bare_bulk copy|unnest ORDER URL CALLS SIZE

Each call is a transaction: a notification, and its routes by COPY or by one INSERT from arrays.
"""

import sys
from collections.abc import Callable
from uuid import UUID

import psycopg

from bench import routes
from bench.peers.dovecote import install
from bench.peers.line import await_end, await_start, say
from dovecote.core.ids import uuid7

USERS = "from unnest(%(ids)s::uuid[], %(users)s::text[]) with ordinality u (id, user_id, place)"

Store = Callable[[psycopg.Connection, UUID, int], None]


def bulk(url: str, store: Store, calls: int, size: int) -> None:
    """Store so many routes in each of so many transactions."""
    with psycopg.connect(url, prepare_threshold=None) as connection:
        _call(connection, store, calls, size)
        await_start()
        for number in range(calls):
            _call(connection, store, number, size)
        say(calls * size)
        await_end()


def _call(connection: psycopg.Connection, store: Store, number: int, size: int) -> None:
    with connection.transaction():
        values = {"first": number + 1, "last": number + 1}
        row = connection.execute(routes.NOTIFICATIONS.encode(), values).fetchone()
        assert row is not None
        store(connection, row[0], size)


def _copy(connection: psycopg.Connection, notification_id: UUID, size: int) -> None:
    values = routes.plain()
    names = ("route_id", "notification_id", "position", "user_id", *values)
    ids = [uuid7() for _ in range(size)]
    target = f"copy dovecote.notification_routes ({', '.join(names)}) from stdin"
    with connection.cursor().copy(target.encode()) as copy:
        for place, route_id in enumerate(ids):
            copy.write_row((route_id, notification_id, place, f"u-{place}", *values.values()))
    people = b"copy dovecote.user_routes (route_id, notification_id, user_id) from stdin"
    with connection.cursor().copy(people) as copy:
        for place, route_id in enumerate(ids):
            copy.write_row((route_id, notification_id, f"u-{place}"))


def _unnest(connection: psycopg.Connection, notification_id: UUID, size: int) -> None:
    own = {"notification_id": "%(notification_id)s::uuid", "position": "place - 1"}
    statement = routes.insertion(USERS, route_id="id", user_id="user_id", **own)
    values = {"ids": [uuid7() for _ in range(size)], "users": [f"u-{n}" for n in range(size)]}
    whole = f"with {routes.enlisted(statement)} select".encode()
    connection.execute(whole, {**values, "notification_id": notification_id})


if __name__ == "__main__":
    how, order, url, *numbers = sys.argv[1:]
    if order == "install":
        install(url)
    else:
        bulk(url, {"copy": _copy, "unnest": _unnest}[how], *map(int, numbers))
