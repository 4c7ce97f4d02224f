"""dovecote.submit() refuses more routes to devices than an answer holds."""

from typing import Any

import psycopg

from tests.functions import Functions
from tests.integration.test_submit_in_sql import refused, submit, wired

Connection = psycopg.Connection[Any]
__all__ = ["wired"]


def test_more_routes_than_an_answer_holds_are_refused(
    wired: Functions, connection: Connection
) -> None:
    connection.execute(
        "insert into dovecote.push_devices (user_id, device_session_id, platform, token, endpoint)"
        " select 'u-' || u, i::text, 'fcm', 't', u || '-' || i"
        " from generate_series(1, 1000) u, generate_series(1, 11) i"
    )
    people = [{"user_id": f"u-{n}", "data": {"first_name": "Ann"}} for n in range(1, 1001)]
    submit(connection, recipients=people)
    wired.expand()
    (one,) = refused(wired)
    assert one["problem"]["status"] == 413
    assert "there are 12000 routes" in one["problem"]["detail"]
