"""HTTP answers that depend on push."""

from typing import Any

import psycopg

from tests.functions import Functions
from tests.integration.test_http import assert_no_producer_waits, assert_problem, count
from tests.sending import a_body

Connection = psycopg.Connection[Any]


def test_a_push_payload_that_no_phone_takes_is_a_422(
    functions: Functions, connection: Connection
) -> None:
    payload = {
        "first_name": "Ann",
        "author": "Bea",
        "thread_title": "A thread",
        "excerpt": "\U0001f54a" * 400,
        "comment_url": "https://nestbox.example/c/" + "x" * 1500,
        "unsubscribe_token": "t" * 32,
    }
    answer = functions.post(
        a_body(kind="comment.mention", payload=payload, recipients=[{"user_id": "u-1"}])
    )
    assert_problem(answer, 422)
    assert count(connection) == 0


def test_devices_that_are_locked_as_a_column_is_added_keep_no_producer_waiting(
    functions: Functions, database_url: str
) -> None:
    assert_no_producer_waits(functions, database_url, "push_devices in access exclusive mode")
