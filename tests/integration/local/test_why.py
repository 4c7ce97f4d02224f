"""A bad day over HTTP: who got nothing is found, told in words, counted and redriven."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import psycopg

from local.provider import Fault, Order
from local.stack import Stack
from tests.builders import CHANNEL
from tests.canary import CANARY
from tests.functions import ROOT
from tests.sending import PERMANENT, channel_body, kind_of
from tests.stacks import a_stack

SECRET = next(text for text in channel_body()["payload"].values() if CANARY in str(text))


def why(stack: Stack, **asked: str) -> str:
    """Run make why's command against the stack, and return what it prints."""
    given = [part for name, value in asked.items() for part in (f"--{name}", value)]
    ran = subprocess.run(
        [sys.executable, "-m", "operate.why", *given],
        cwd=ROOT,
        env={**os.environ, "PORT": str(urlsplit(stack.api_url).port)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


async def asked(
    session: aiohttp.ClientSession, method: str, path: str, status: int, **more: Any
) -> Any:
    async with session.request(method, path, **more) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()


async def refused(stack: Stack, session: aiohttp.ClientSession, key: str) -> Any:
    """Submit a notification that the provider refuses for good."""
    stack.provider.give(Order(do=Fault.ERROR, times=1, **PERMANENT))
    body = channel_body(idempotency_key=key)
    return await asked(session, "POST", "/notifications", 202, json=body)


async def find_out(stack: Stack, session: aiohttp.ClientSession, posted: list[Any]) -> None:
    """Find the notifications to Ann by each of her ids, and why she got none."""
    (ann,) = channel_body()["recipients"]
    for name, value in ann.items():
        found = await asked(session, "GET", "/notifications", 200, params={name: value})
        ids = [one["notification_id"] for one in found["notifications"]]
        assert ids == [one["notification_id"] for one in reversed(posted)]
    told = await asyncio.to_thread(why, stack, user="u-1")
    assert told.count("not delivered: the provider refused it") == 3
    assert SECRET not in told
    suppression = f"{ann['email']} is not suppressed\n" if "email" in ann else ""
    assert told.endswith(f"{suppression}user u-1 has no device\n")


async def redrive(session: aiohttp.ClientSession) -> None:
    """Count the dead letters, redrive them, and look at the record."""
    path, filter_ = "/dead-letters/redrive", {"channel": CHANNEL, "reason": "permanent"}
    dry = await asked(session, "POST", path, 200, json={"filter": filter_, "dry_run": True})
    assert dry == {"matched": 3}
    done = await asked(session, "POST", path, 202, json={"filter": filter_, "per_second": 100})
    assert (done["matched"], done["redriven"], done["refused"]) == (3, 3, 0)
    (record,) = (await asked(session, "GET", "/redrives", 200))["redrives"]
    assert (record["redrive_id"], record["who"]) == (done["redrive_id"], "unknown")
    left = await asked(session, "GET", "/dead-letters", 200, params={"limit": "1"})
    assert left == {"dead_letters": [], "next": None}


def test_ann_who_got_nothing_is_told_why_and_gets_it_after_a_redrive(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_stack(tmp_path) as stack, aiohttp.ClientSession(stack.api_url) as session:
            posted = [await refused(stack, session, f"reset-{n}") for n in range(3)]
            await find_out(stack, session, posted)
            await redrive(session)
            await asyncio.sleep(0.1)  # the last of them is due 0.02 s after the first
            await stack.invoke("DispatchFunction", {})
            assert len(stack.provider.ledger.accepted) == 3
            told = await asyncio.to_thread(why, stack, kind=kind_of(), key="reset-1")
            assert "redriven: a fresh set of attempts" in told
            assert "=> accepted by the provider" in told
            route_id = posted[0]["routes"][0]["route_id"]
            await asked(session, "POST", f"/dead-letters/{route_id}/redrive", 409)

    asyncio.run(scenario())


HOSTILE = "\x1b[2K\x1b[1A\x9b2K\r\u202e\u200b"
SPOILT = """
update dovecote.notifications
set idempotency_key = idempotency_key || %(text)s, kind = kind || %(text)s;
update dovecote.notification_routes
set last_error = %(text)s, device_session_id = %(text)s;
update dovecote.notification_events set detail = %(text)s || E'\\nforged';
"""


def test_what_is_stored_cannot_act_on_the_terminal(tmp_path: Path) -> None:
    """By HTTP none of it can be submitted: it is as an older release may have stored it."""

    async def scenario() -> None:
        async with a_stack(tmp_path) as stack, aiohttp.ClientSession(stack.api_url) as session:
            posted = await refused(stack, session, "reset-1")
            with psycopg.connect(stack.database_url) as connection:
                psycopg.ClientCursor(connection).execute(SPOILT, {"text": HOSTILE})
            told = await asyncio.to_thread(why, stack, id=posted["notification_id"])
        assert told.count("\\x1b[2K\\x1b[1A\\x9b2K\\r\\u202e\\u200b") >= 4
        assert [line for line in told.split("\n") if not line.isprintable()] == []
        assert "forged" not in [line.strip() for line in told.split("\n")]

    asyncio.run(scenario())
