"""The way of SES's events through the whole stack: EventBridge, SQS, functions/feedback."""

import asyncio
import json
import time
from pathlib import Path

import aiohttp
import psycopg
import pytest

from local.playground import SETTINGS
from local.provider import Fault, Order, Provider
from local.stack import Options, Stack
from tests.functions import ROOT

pytestmark = pytest.mark.channels("email", "push")

RECIPIENTS = 10


def test_replies_that_were_lost_are_settled_by_events_and_nothing_is_sent_twice(
    tmp_path: Path,
) -> None:
    provider = Provider()
    # Every reply is lost: without events each of these would be sent until it is a dead letter.
    provider.give(Order(do=Fault.CLOSE_AFTER_ACCEPTING, service="ses"))
    options = Options(
        directory=tmp_path / "stack",
        durable=False,
        parameters={"EmailIdentity": "example.com", "EmailConfigurationSet": "dovecote"},
        # A hold that is far longer than the test.
        environment={**SETTINGS, "AMBIGUOUS_HOLD_SECONDS": "600"},
        tick_seconds=0.5,
    )
    statuses = asyncio.run(_sent(options, provider))
    # Those that were under way when it counted as an outage burnt no attempt.
    assert statuses.keys() <= {("published", 1), ("published", 0)}
    assert sum(statuses.values()) == RECIPIENTS
    assert [row.service for row in provider.ledger.accepted] == ["ses"] * RECIPIENTS
    assert len({row.route_id for row in provider.ledger.accepted}) == RECIPIENTS


async def _sent(options: Options, provider: Provider) -> dict[tuple[str, int], int]:
    """Post a notification, and return how its routes have ended: status and attempts."""
    event = json.loads((ROOT / "events" / "many-recipients.json").read_text())
    sent = {name: value for name, value in event["headers"].items() if name != "host"}
    headers = {**sent, "idempotency-key": "lost"}
    async with Stack(options, provider) as stack, aiohttp.ClientSession() as client:
        url = f"{stack.api_url}/notifications"
        async with client.post(url, data=event["body"], headers=headers) as answer:
            assert answer.status == 202
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            await asyncio.sleep(0.2)
            found = await asyncio.to_thread(_statuses, stack.database_url)
            if all(status == "published" for status, _ in found):
                break
    return found


def _statuses(url: str) -> dict[tuple[str, int], int]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "select status, attempts, count(*) from dovecote.notification_routes group by 1, 2"
        ).fetchall()
    return {(status, attempts): count for status, attempts, count in rows}
