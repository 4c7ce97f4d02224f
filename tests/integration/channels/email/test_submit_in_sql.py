"""dovecote.submit() keeps to the addresses that the settings allow."""

from pathlib import Path
from typing import Any

import psycopg

from dovecote.channels.email.planning import NOT_ALLOWED
from tests.integration.test_submit_in_sql import RULES, ran, rows, submit

Connection = psycopg.Connection[Any]


def test_what_follows_the_settings_follows_them(
    database_url: str, connection: Connection, catalog_folder: Path
) -> None:
    for rule, status in (("production", "pending"), ("to some alone", "skipped")):
        with ran(database_url, catalog_folder, **RULES[rule]) as functions:
            submit(connection, idempotency_key=rule)
            functions.expand()
            (route, *_), *_ = rows(connection, rule)[1]
            assert route["status"] == status
    assert route["last_error"] == NOT_ALLOWED
