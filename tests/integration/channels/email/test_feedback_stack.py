"""What SES tells goes the whole way over the local stack, each function as its own user."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from local.provider import Fault, Order
from local.stack import Stack
from tests.stacks import a_stack

BOUNCE = "bounce+ann@simulator.amazonses.com"
SUPPRESSION = f"/suppressions?email={BOUNCE.replace('+', '%2B')}"
RESET = {
    "first_name": "Ann",
    "reset_url": "https://nestbox.example/reset/1",
    "valid_minutes": 15,
}


@asynccontextmanager
async def listening(tmp_path: Path) -> AsyncIterator[tuple[Stack, aiohttp.ClientSession]]:
    """Run a stack whose emails are told of, and a client of its HTTP API."""
    parameters = {"EmailIdentity": "example.com", "EmailConfigurationSet": "events"}
    settings = {"EMAIL_CONFIGURATION_SET": "events", "EMAIL_FEEDBACK": "on"}
    here = a_stack(tmp_path, settings, tick_seconds=0.5, parameters=parameters)
    async with here as stack, aiohttp.ClientSession(stack.api_url) as session:
        yield stack, session


async def call(session: aiohttp.ClientSession, method: str, path: str, body: Any = None) -> Any:
    async with session.request(method, path, json=body) as answer:
        assert answer.status in (200, 202), await answer.text()
        return await answer.json()


async def submitted(session: aiohttp.ClientSession, key: str, email: str) -> tuple[str, Any]:
    """Submit to one address; return the notification and its route."""
    body = {
        "kind": "account.password_reset",
        "idempotency_key": key,
        "payload": RESET,
        "recipients": [{"email": email}],
    }
    answer = await call(session, "POST", "/notifications", body)
    return answer["notification_id"], answer["routes"][0]


async def shown(
    session: aiohttp.ClientSession, notification_id: str, *members: str, status: str = "published"
) -> Any:
    """Wait until the one route of a notification has a status and these of its delivery."""
    deadline = time.monotonic() + 20
    while True:
        (route,) = (await call(session, "GET", f"/notifications/{notification_id}"))["routes"]
        delivery = route["delivery"] or {}
        if route["status"] == status and all(delivery.get(member) for member in members):
            return route
        assert time.monotonic() < deadline, route
        await asyncio.sleep(0.1)


def test_a_bounce_suppresses_its_address_until_an_operator_lets_it_go(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listening(tmp_path) as (stack, session):
            bounced, _ = await submitted(session, "one", BOUNCE)
            route = await shown(session, bounced, "bounced_at")
            assert route["delivery"]["bounce_type"] == "permanent"
            suppression = await call(session, "GET", SUPPRESSION)
            assert (suppression["email"], suppression["reason"]) == (BOUNCE, "bounced")

            skipped, route = await submitted(session, "two", BOUNCE.upper())
            assert route["status"] == "skipped"
            assert route["last_error"] == "address is suppressed: bounced"

            # What was skipped is sent now.
            released = await call(session, "DELETE", f"{SUPPRESSION}&release=true")
            assert released == {"released": 1}
            await shown(session, skipped, "accepted_at")
            assert len(stack.provider.ledger.accepted) == 2
            assert stack.queues["FeedbackQueue"].dead == []

    asyncio.run(scenario())


def test_a_delay_a_full_mailbox_and_a_complaint_are_on_the_record(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listening(tmp_path) as (stack, session):
            late, full, complaining = (
                f"{name}@simulator.amazonses.com"
                for name in ("success+1", "success+2", "complaint")
            )
            stack.provider.give(Order(do=Fault.DELAY, address=late))
            stack.provider.give(Order(do=Fault.MAILBOX_FULL, address=full))
            ids = [(await submitted(session, e, e))[0] for e in (late, full, complaining)]
            await shown(session, ids[0], "delayed_at", "delivered_at")
            route = await shown(session, ids[1], "bounced_at")
            assert route["delivery"]["bounce_type"] == "transient"
            await shown(session, ids[2], "complained_at", "delivered_at")
            _, again = await submitted(session, "again", full)
            assert again["status"] == "published"
            _, again = await submitted(session, "and again", complaining)
            assert again["last_error"] == "address is suppressed: complained"

    asyncio.run(scenario())
