"""What a direct invocation loses before the function sees it: docs/design.md, Direct invocation."""

import json
from pathlib import Path
from typing import Any

import psycopg

from local.provider import Running
from tests.catalogs import write_catalog
from tests.functions import environment, run_functions
from tests.sending import recipient

Connection = psycopg.Connection[Any]

BODY = (
    '{"kind":"news.sent","idempotency_key":"numbers","payload":{"name":"Ann","a":12.50,'
    '"b":0.1234567890123456789,"c":123456789012345678901234567890},'
    f'"recipients":{json.dumps([recipient()])}}}'
)


def test_numbers_lose_digits_and_then_are_another_body_than_by_http(
    database_url: str, provider: Running, tmp_path: Path, connection: Connection
) -> None:
    catalog = write_catalog(tmp_path, {"news.sent": {}})
    values = environment(database_url, provider.url, catalog, INLINE_ROUTES="0")
    with run_functions(values) as functions:
        # Lambda's runtime reads an event with json.loads.
        stored = functions.invoke_submit(json.loads(BODY))
        assert "notification_id" in stored, stored
        query = "select payload from dovecote.notification_payloads"
        (payload,) = connection.execute(query.encode()).fetchone() or ("",)
        assert '"a":12.5,' in payload
        assert '"b":0.12345678901234568,' in payload
        assert '"c":123456789012345678901234567890}' in payload
        assert functions.post(BODY.encode()).status == 422
        infinite = json.loads(BODY.replace("12.50", "1e400"))
        assert functions.invoke_submit(infinite)["status"] == 400
