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
        " select 'u-1', i::text, 'fcm', 't', i::text from generate_series(1, 11) i"
    )
    people = [{"user_id": "u-1", "data": {"first_name": "Ann"}}] * 1000
    submit(connection, recipients=people)
    wired.expand()
    (one,) = refused(wired)
    assert one["problem"]["status"] == 413
    assert "there are 12000 routes" in one["problem"]["detail"]
