"""What the page reads of the database; only reads, each on a connection of its own."""

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.rows import dict_row

Row = dict[str, Any]
CONNECT_SECONDS = 2

ROUTE = """
select route.route_id::text, route.notification_id::text, route.channel, route.target,
       route.user_id, route.device_session_id, route.address, route.status, route.attempts,
       route.max_attempts, route.claims, route.claim_token is not null as claimed,
       route.next_attempt_at, route.leased_until, route.created_at, route.published_at,
       route.provider_message_id, route.last_error, route.expires_at,
       letter.reason, letter.dead_lettered_at
from dovecote.notification_routes as route
left join dovecote.notification_dead_letters as letter
  on letter.route_id = route.route_id and letter.closed_at is null
"""
NOTIFICATION = """
select notification_id::text, kind, idempotency_key, created_at, deliver_at
from dovecote.notifications
"""
# No value is ever written into a query: the parts are constants of this module.
QUERIES: Mapping[str, str] = {
    "newest": f"{NOTIFICATION} order by created_at desc, notification_id limit %(limit)s",
    "newest_routes": ROUTE  # noqa: S608
    + """ where route.notification_id in (
        select notification_id from dovecote.notifications
        order by created_at desc, notification_id limit %(limit)s) order by position""",
    "routes": f"{ROUTE} where route.notification_id = %(id)s order by position",
    "notification": """
        select n.notification_id::text, kind, idempotency_key, p.payload, traceparent, deliver_at,
               created_at
        from dovecote.notifications n
        left join dovecote.notification_payloads p using (notification_id)
        where n.notification_id = %(id)s""",
    "failures": """
        select event.route_id::text, event.at, event.attempt, event.detail
        from dovecote.notification_routes as route
        join dovecote.notification_events as event using (route_id)
        where route.notification_id = %(id)s and event.event in ('failed', 'in_doubt')
        order by event.at""",
    "dead_letters": f"""
        select letters.*, notification.kind from ({ROUTE}) as letters
        join dovecote.notifications as notification
          on notification.notification_id::text = letters.notification_id
        where letters.reason is not null
        order by letters.dead_lettered_at desc limit %(limit)s""",  # noqa: S608
    "pauses": """
        select resource, greatest(paused_until, trying_until) as until, error
        from dovecote.channel_state where paused_until is not null order by resource""",
    "ends": """
        select route_id::text, notification_id::text, status, provider_message_id
        from dovecote.notification_routes""",
}


async def connect(url: str) -> psycopg.AsyncConnection[Row]:
    """Connect for questions that read as of one moment, that of the first."""
    connection = await psycopg.AsyncConnection.connect(
        url,
        connect_timeout=CONNECT_SECONDS,
        application_name="dovecote-page",
        row_factory=dict_row,
    )
    await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
    await connection.set_read_only(True)
    return connection


async def ask(
    connection: psycopg.AsyncConnection[Row], *questions: tuple[str, Mapping[str, Any]]
) -> list[list[Row]]:
    """Return the rows of named queries; raises psycopg.Error."""
    return [
        await (await connection.execute(QUERIES[name], parameters)).fetchall()
        for name, parameters in questions
    ]
