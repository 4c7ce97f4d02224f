"""The first request of a function for an email loads what it needs and no more."""

import json
from typing import Any

import psycopg

from tests.integration.test_first_requests import (
    CATALOG,
    PARSING,
    SENDING,
    SPANS,
    Starts,
    an_event,
    starts,
)

__all__ = ["starts"]


def test_a_submit_of_templates_that_do_more_parses_none(starts: Starts) -> None:
    event = an_event("email")
    recipient = {
        "email": "success+ann@simulator.amazonses.com",
        "data": {"first_name": "Ann", "unsubscribe_token": "0123456789abcdef"},
    }
    article = {"title": "t", "summary": "s", "url": "https://example.com"}
    body = {
        "kind": "digest.weekly",
        "payload": {"week": "16 November", "articles": [article]},
        "recipients": [recipient],
    }
    answer, loaded = starts.first("submit", event | {"body": json.dumps(body)}, INLINE_ROUTES="0")
    assert answer["statusCode"] == 202, answer
    assert "jinja2.runtime" in loaded
    assert not loaded & PARSING


def test_feedback_loads_no_client_no_catalog_and_no_spans(
    starts: Starts, connection: psycopg.Connection[Any]
) -> None:
    starts.stored()
    row = connection.execute("select route_id from dovecote.notification_routes").fetchone()
    assert row is not None
    tags = {"route_id": [str(row[0])], "claim": ["1"], "kind": ["account-password_reset"]}
    detail = {"eventType": "Delivery", "mail": {"messageId": "message-1", "tags": tags}}
    body = {"source": "aws.ses", "detail-type": "Email Delivered", "detail": detail}
    record = {"messageId": "1", "body": json.dumps(body)}
    answer, loaded = starts.first("feedback", {"Records": [record]})
    assert answer == {"batchItemFailures": []}
    assert not loaded & (SENDING | CATALOG | SPANS)
