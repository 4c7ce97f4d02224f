"""Functions that call dispatch, on the local stack, whose schedule does not fire meanwhile."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest

from local.stack import Stack
from tests.faults.processes import store_due
from tests.sending import channel_body
from tests.stacks import a_stack

SCHEDULED = {"source": "schedule"}
NOTHING_DUE = "select from dovecote.notification_routes where next_attempt_at is not null limit 1"


async def ended(stack: Stack, seconds: float) -> None:
    """Wait until nothing is left to be sent."""
    async with (
        asyncio.timeout(seconds),
        await psycopg.AsyncConnection.connect(stack.database_url, autocommit=True) as connection,
    ):
        while (await connection.execute(NOTHING_DUE)).rowcount:
            await asyncio.sleep(0.05)


async def tallies(stack: Stack, runs: int) -> list[dict[str, Any]]:
    """Wait for the log line of so many runs of dispatch, and return them all."""
    path = stack.logs.path("DispatchFunction")
    async with asyncio.timeout(20):
        while len(found := _tallies(path)) < runs:
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)  # one too many would be seen
    return _tallies(path) or found


def _tallies(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text().splitlines() if path.exists() else []
    written = [json.loads(line[line.index("{") :]) for line in lines if '"dispatched"' in line]
    return [one for one in written if one.get("message") == "dispatched"]


def test_a_notification_does_not_wait_for_the_schedule(tmp_path: Path) -> None:
    """As the users of the functions, by the name that the template makes."""

    async def scenario() -> None:
        async with (
            a_stack(tmp_path) as stack,
            aiohttp.ClientSession(stack.api_url) as session,
        ):
            async with session.post("/notifications", json=channel_body(count=40)) as answer:
                assert answer.status == 202
            await ended(stack, 20)
            (tally,) = await tallies(stack, 1)
            assert tally["published"] == 38
            assert len(stack.provider.ledger.accepted) == 40

    asyncio.run(scenario())


@pytest.mark.parametrize(("most", "least"), [(1, 2), (3, 4)])
def test_schedules_that_overlap_call_dispatchers_for_a_backlog_and_send_nothing_twice(
    tmp_path: Path, most: int, least: int
) -> None:
    """240 routes are a run with one send at once, so 700 are three runs' worth.

    Whichever begins first sees all of them; the other one may see less.
    """

    async def scenario() -> None:
        settings = {"DISPATCH_CONCURRENCY": "1", "MAX_DISPATCHERS": str(most)}
        async with a_stack(tmp_path, settings) as stack:
            with psycopg.connect(stack.database_url, autocommit=True) as connection:
                store_due(connection, 700)
            await asyncio.gather(*(stack.invoke("DispatchFunction", SCHEDULED) for _ in range(2)))
            await ended(stack, 60)
            found = await tallies(stack, least)
            assert least <= len(found) <= 2 * most
            assert sum(tally["published"] for tally in found) == 700
            accepted = Counter(row.route_id for row in stack.provider.ledger.accepted)
            assert (len(accepted), set(accepted.values())) == (700, {1})

    asyncio.run(scenario())


async def line_of(log: Path, words: str) -> str:
    """Return the line of a log with these words, which a thread may write after the response."""
    async with asyncio.timeout(10):
        while True:
            lines = log.read_text().splitlines() if log.exists() else []
            if found := [line for line in lines if words in line]:
                return found[0]
            await asyncio.sleep(0.05)


def test_where_lambda_does_not_answer_the_notification_is_stored_and_the_schedule_delivers_it(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        settings = {"INLINE_ROUTES": "0", "DISPATCH_FUNCTION": "nobody:live"}
        async with (
            a_stack(tmp_path, settings) as stack,
            aiohttp.ClientSession(stack.api_url) as session,
        ):
            async with session.post("/notifications", json=channel_body()) as answer:
                assert answer.status == 202
            log = await line_of(stack.logs.path("SubmitFunction"), "dispatch not woken up")
            assert "ResourceNotFoundException" in log
            assert (await stack.invoke("DispatchFunction", SCHEDULED))["published"] == 1

    asyncio.run(scenario())
