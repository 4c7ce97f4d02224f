"""Routes by the bench's own SQL: the one place that knows which columns an inserter sets."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from dovecote.channels.lanes import Lane
from dovecote.core.notification import Priority

DEFAULTS = {
    "route_id": "uuidv7()",
    "notification_id": "notification_id",
    "position": "0",
    "channel": "'push'",
    "target": "'topic'",
    "user_id": "'u-1'",
    "resolved_email": "null::text",
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
"""What a route is that is new, due, and a push to the topic; each has a moment of its own."""

LANE = """(case r.channel when 'email' then 0 else 6 end + r.priority * 2
    + case r.status when 'retrying' then 1 else 0 end)::smallint"""
"""dovecote/lanes.py, of a route r."""

PUSH = Lane(channel="push", priority=Priority.NORMAL, retry=False).number

NOTIFICATIONS = """
insert into dovecote.notifications
    (notification_id, kind, idempotency_key, fingerprint, payload)
select uuidv7(), 'order.shipped', n::text, repeat('f', 64),
       '{"order_id":"A' || lpad(n::text, 8, '0') || '","carrier":"DHL","first_name":"Ann"}'
from generate_series(%(first)s::integer, %(last)s::integer) n
returning notification_id
"""

ENTRIES = """, of_users as (
    insert into dovecote.user_routes (user_id, notification_id, route_id)
    select user_id, notification_id, route_id from stored where user_id is not null
), of_addresses as (
    insert into dovecote.address_routes (address, notification_id, route_id)
    select lower(resolved_email), notification_id, route_id
    from stored where resolved_email is not null
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
    told = "returning route_id, notification_id, user_id, resolved_email"
    return f"stored as ({stored} {told}){ENTRIES}"


def fill(connection: psycopg.Connection[Any], count: int) -> None:
    """Store so many notifications of one route each, due now."""
    connection.execute("set statement_timeout = 0")
    stored = insertion("from notification")
    statement = f"with notification as ({NOTIFICATIONS}) {stored}"
    connection.execute(statement.encode(), {"first": 1, "last": count})


def plain() -> dict[str, Any]:
    """Return what all the rows of a COPY have in common."""
    now = datetime.now(UTC)
    values = {"channel": "push", "target": "topic", "priority": 1, "status": "pending"}
    values |= {"max_attempts": 0, "next_attempt_at": now, "expires_at": now + timedelta(hours=72)}
    return {**values, "lane": PUSH}
