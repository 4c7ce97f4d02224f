"""Notifications by SQS, through the real stack, as a producer with boto3 sends them."""

import asyncio
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.sam.event import read_event
from local.stack import Stack
from tests.sending import channel_body
from tests.stacks import a_stack


def client(stack: Stack) -> Any:
    return boto3.client(
        "sqs",
        endpoint_url=stack.aws_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )


def a_message(key: str, **overrides: Any) -> str:
    return json.dumps(channel_body(idempotency_key=key, **overrides))


def stored(stack: Stack) -> list[tuple[str, str | None]]:
    with psycopg.connect(stack.database_url) as connection:
        return connection.execute(
            "select idempotency_key, traceparent from dovecote.notifications order by 1"
        ).fetchall()


async def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(holds):
            await asyncio.sleep(0.05)


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def send(stack: Stack) -> str:
    """Send a message with a trace, and a batch with poison in it; return the id of that."""
    with closing(client(stack)) as sqs:
        url = sqs.get_queue_url(QueueName="dovecote-submit")["QueueUrl"]
        traced = {"traceparent": {"DataType": "String", "StringValue": TRACE}}
        sqs.send_message(QueueUrl=url, MessageBody=a_message("key-1"), MessageAttributes=traced)
        bodies = [a_message("key-2"), a_message("key-3", kind="none"), a_message("key-4")]
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
        answer = sqs.send_message_batch(QueueUrl=url, Entries=entries)
        assert [one["Id"] for one in answer["Successful"]] == ["0", "1", "2"]
        return str(answer["Successful"][1]["MessageId"])


def test_what_is_sent_is_stored_and_poison_is_dead_after_ten_tries_and_hurts_nobody(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with a_stack(tmp_path) as stack:
            queue = stack.queues["SubmitQueue"]
            queue._visibility_seconds = 0.05
            poison = await asyncio.to_thread(send, stack)
            await until(lambda: len(stored(stack)) == 3 and bool(queue.dead))
            assert [key for key, _ in stored(stack)] == ["key-1", "key-2", "key-4"]
            assert stored(stack)[0] == ("key-1", TRACE)
            assert [(one.id, one.receives) for one in queue.dead] == [(poison, 10)]
            log = stack.logs.path("SubmitFunction").read_text()
            lines = [line for line in log.splitlines() if "message not stored" in line]
            assert len(lines) == 10
            assert all(poison in line and '"status":422' in line for line in lines)
            assert "success+ann" not in log

    asyncio.run(scenario())


def test_a_queue_that_is_none_is_told_as_sqs_does(tmp_path: Path) -> None:
    def send(stack: Stack) -> None:
        with closing(client(stack)) as sqs:
            with pytest.raises(sqs.exceptions.QueueDoesNotExist):
                sqs.send_message(QueueUrl="https://sqs/1/none", MessageBody="{}")
            with pytest.raises(sqs.exceptions.QueueDoesNotExist):
                sqs.get_queue_url(QueueName="none")
            with pytest.raises(ClientError, match="UnsupportedOperation"):
                sqs.list_queues()

    async def scenario() -> None:
        async with a_stack(tmp_path) as stack:
            await asyncio.to_thread(send, stack)

    asyncio.run(scenario())


def test_the_message_in_events_is_for_submit() -> None:
    event = read_event("queue")
    assert event.function == "SubmitFunction"
    assert not event.refers
