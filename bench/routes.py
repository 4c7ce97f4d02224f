"""Routes by the bench's own SQL: the one place that knows which columns an inserter sets."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from dovecote.channels import NAMES, every, lanes
from dovecote.channels.lanes import Lane
from dovecote.core.notification import Priority

CHANNEL = NAMES[-1]
"""The channel of the routes: push, where it is registered."""

TARGETS = {
    name: ("topic", "null::text")
    if own.address_field == "user_id"
    else ("address", "'a@example.com'")
    for name, own in every().items()
}
"""What the routes of each channel go to: the target, and the address as an expression."""

TARGET, ADDRESS = TARGETS[CHANNEL]

DEFAULTS = {
    "route_id": "uuidv7()",
    "notification_id": "notification_id",
    "position": "0",
    "channel": f"'{CHANNEL}'",
    "target": f"'{TARGET}'",
    "user_id": "'u-1'",
    "address": ADDRESS,
    "address_hash": f"decode(md5({ADDRESS}), 'hex')",
    "priority": "1",
    "status": "'pending'",
    "attempts": "0",
    "claims": "0",
    "max_attempts": "0",
    "next_attempt_at": "clock_timestamp()",
    "expires_at": "clock_timestamp() + interval '72 hours'",
    "published_at": "null::timestamptz",
    "provider_message_id": "null::text",
}
"""A new route that is due now. Each row gets its own time."""

_FIRST = " ".join(f"when '{name}' then {lanes.of(name)[0].number}" for name in NAMES)
LANE = f"""(case r.channel {_FIRST} end + r.priority * {2 * lanes.BUCKETS}
    + case r.status when 'retrying' then 1 else 0 end)::smallint"""
"""The lane of a route r in the first bucket, as dovecote/channels/lanes.py has it."""

DUE = Lane(channel=CHANNEL, priority=Priority.NORMAL, retry=False).number

NOTIFICATIONS = """
insert into dovecote.notifications
    (notification_id, kind, idempotency_key, fingerprint)
select uuidv7(), 'order.shipped', n::text, decode(md5(n::text), 'hex')
from generate_series(%(first)s::integer, %(last)s::integer) n
returning notification_id, idempotency_key
"""

PAYLOADS = """
insert into dovecote.notification_payloads (notification_id, payload_days, payload)
select notification_id, -1, '{"order_id":"A' || lpad(idempotency_key, 8, '0')
    || '","carrier":"DHL","first_name":"Ann"}'
from notification
"""

ENTRIES = """, of_users as (
    insert into dovecote.user_routes (user_id, notification_id, route_id)
    select user_id, notification_id, route_id from stored where user_id is not null
), of_addresses as (
    insert into dovecote.address_routes (address_hash, notification_id, route_id)
    select address_hash, notification_id, route_id
    from stored where address_hash is not null
)
"""


def insertion(source: str, **differing: str) -> str:
    """Return the statement that inserts a route for each row of a source, `from …`.

    What differs from the defaults is named, as an expression.
    """
    values = {**DEFAULTS, **differing}
    selected = ", ".join(f"{value} as {name}" for name, value in values.items())
    return (
        f"insert into dovecote.notification_routes ({', '.join(values)}, lane)\n"
        f"select r.*, {LANE} from (select {selected} {source}) r"
    )


def enlisted(stored: str) -> str:
    """Return an insertion of routes with the entries by which their people are found.

    It is a list of CTEs; `of_users` and `of_addresses` have the entries.
    """
    told = "returning route_id, notification_id, user_id, address_hash"
    return f"stored as ({stored} {told}){ENTRIES}"


def fill(connection: psycopg.Connection[Any], count: int, first: int = 1) -> None:
    """Store so many notifications of one route each, due now; their keys count from `first`."""
    connection.execute("set statement_timeout = 0")
    stored = insertion("from notification")
    statement = f"with notification as ({NOTIFICATIONS}), payload as ({PAYLOADS}) {stored}"
    connection.execute(statement.encode(), {"first": first, "last": first + count - 1})


def plain() -> dict[str, Any]:
    """Return what all the rows of a COPY have in common."""
    now = datetime.now(UTC)
    values = {"channel": CHANNEL, "target": TARGET, "priority": 1, "status": "pending"}
    values |= {"max_attempts": 0, "next_attempt_at": now, "expires_at": now + timedelta(hours=72)}
    return {**values, "lane": DUE}
