"""Conditions of a topic, as SNS words them, with a backlog of pushes."""

from pathlib import Path
from typing import Any

import psycopg
import pytest

from local.provider import Fault, Order, Running
from tests.functions import Functions, environment, run_functions
from tests.integration.passing_time import BACKLOG, PAUSES, drain, run_behind_pauses, statuses

Connection = psycopg.Connection[Any]


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (404, "NotFound", "Topic does not exist"),
        (404, "NotFound", "it is gone"),
        (400, "InvalidParameter", "Invalid parameter: TopicArn Reason: no such topic"),
        (400, "KMSDisabled", "null (Service: AWSKMS; Status Code: 400)"),
        (403, "AuthorizationError", "User: x is not authorized to perform: SNS:Publish"),
    ],
)
def test_a_topic_that_is_gone_burns_no_attempt_of_a_backlog(
    database_url: str,
    provider: Running,
    catalog_folder: Path,
    connection: Connection,
    status: int,
    code: str,
    words: str,
) -> None:
    topic = provider.provider.registry.create_topic("gateway", {})
    values = environment(
        database_url, provider.url, catalog_folder, PUSH_TOPIC_ARN=topic.arn, INLINE_ROUTES="0",
        **PAUSES,
    )  # fmt: skip
    with run_functions(values) as functions:
        _post_pushes(functions)
        provider.provider.give(
            Order(do=Fault.ERROR, service="sns", status=status, code=code, message=words)
        )
        run_behind_pauses(connection, rounds=4)
        assert statuses(connection) == {("pending", 0): BACKLOG}
        provider.provider.withdraw()
        drain(connection)
    assert statuses(connection) == {("published", 1): BACKLOG}
    assert len(provider.provider.ledger.accepted) == BACKLOG


def _post_pushes(functions: Functions) -> None:
    body = {
        "kind": "order.arriving",
        "idempotency_key": "arriving",
        "payload": {"order_id": "1234", "carrier": "DHL", "minutes": 5},
        "recipients": [{"user_id": f"u-{number}"} for number in range(BACKLOG)],
    }
    answer = functions.post(body)
    assert answer.status == 202, answer.body
