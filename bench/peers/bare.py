"""The least that submit could be: one statement that somebody wrote by hand, and nothing else."""

import sys
from collections.abc import Callable

import psycopg

from bench.peers.dovecote import install
from bench.peers.line import await_end, await_start, say
from bench.routes import enlisted, insertion
from dovecote.core.ids import uuid7

NOTIFICATION = """
with notification as (
    insert into dovecote.notifications
        (notification_id, kind, idempotency_key, fingerprint)
    values (%(notification_id)s, 'order.shipped', %(key)s, %(fingerprint)s)
    returning notification_id
), payload as (
    insert into dovecote.notification_payloads (notification_id, payload_days, payload)
    values (%(notification_id)s, -1, %(payload)s)
), """

ROUTES = """
from notification n, (values
    (%(first)s::uuid, 0, 'email', 'address', 'success+ann@simulator.amazonses.com'),
    (%(second)s::uuid, 1, 'push', 'topic', null)
) as v (route_id, position, channel, target, email)
"""

PAYLOAD = '{"order_id":"A00000001","carrier":"DHL","first_name":"Ann"}'


def enqueue(url: str, count: int) -> None:
    """Store notifications one by one."""
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        statement = _statement()
        _store(connection, statement)
        await_start()
        for _ in range(count):
            _store(connection, statement)
        say(count)
        await_end()


def _statement() -> bytes:
    """Return the one statement."""
    values = {name: name for name in ("route_id", "position", "channel", "target")}
    stored = insertion(ROUTES, address="email", **values)
    return (NOTIFICATION + enlisted(stored) + " select").encode()


def _store(connection: psycopg.Connection, statement: bytes) -> None:
    ids = {name: uuid7() for name in ("notification_id", "first", "second")}
    own = {"key": ids["notification_id"].hex, "fingerprint": ids["notification_id"].bytes}
    connection.execute(statement, {**ids, **own, "payload": PAYLOAD})


if __name__ == "__main__":
    order, url, *numbers = sys.argv[1:]
    orders: dict[str, Callable[..., None]] = {"install": install, "enqueue": enqueue}
    orders[order](url, *map(int, numbers))
