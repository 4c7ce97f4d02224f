"""A bad day of an operator: the commands find, explain, count and redrive what failed."""

import asyncio
import io
import json
import os
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp
import psycopg

from local.provider import Fault, Order
from local.stack import Stack
from operate.cli.main import main
from tests.builders import CHANNEL
from tests.canary import CANARY
from tests.sending import PERMANENT, channel_body, kind_of
from tests.stacks import a_stack

SECRET = next(text for text in channel_body()["payload"].values() if CANARY in str(text))


async def run(stack: Stack, *words: str, code: int = 0) -> str:
    """Run a command against the stack; return what it prints."""
    return await asyncio.to_thread(_run, stack, words, code)


def _run(stack: Stack, words: tuple[str, ...], code: int) -> str:
    environment = {"PORT": str(urlsplit(stack.api_url).port)}
    with (
        patch.dict(os.environ, environment),
        redirect_stdout(io.StringIO()) as out,
        redirect_stderr(io.StringIO()) as error,
    ):
        assert (main(words), error.getvalue()) == (code, "")
    return out.getvalue()


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
    told = await run(stack, "why", "--user", "u-1")
    assert told.count("Not delivered: The provider refused the message") == 3
    assert SECRET not in told
    suppression = f"{ann['email']} is not suppressed\n" if "email" in ann else ""
    assert told.endswith(f"{suppression}user u-1 has no device\n")


async def redrive(stack: Stack, session: aiohttp.ClientSession) -> None:
    """Count the dead letters, redrive them, and look at the record."""
    words = ["redrive", "--channel", CHANNEL, "--reason", "permanent", "--json"]
    assert json.loads(await run(stack, *words, "--dry-run")) == {"matched": 3}
    done = json.loads(await run(stack, *words, "--per-second", "100", "--yes"))
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
            await redrive(stack, session)
            await asyncio.sleep(0.1)  # the last of them is due 0.02 s after the first
            await stack.invoke("DispatchFunction", {})
            assert len(stack.provider.ledger.accepted) == 3
            told = await run(stack, "why", "--kind", kind_of(), "--key", "reset-1")
            assert "  Redriven\n" in told
            assert "=> The provider accepted the message." in told
            ids = [posted[0]["routes"][0]["route_id"], posted[1]["notification_id"]]
            route, notification = (await run(stack, "redrive", "--id", *ids, code=1)).splitlines()
            assert "answered 409: The route is not a dead letter." in route
            assert "the notification has no dead letter" in notification

    asyncio.run(scenario())


def test_a_file_is_sent_followed_and_redriven(tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_text(json.dumps(channel_body()))

    async def scenario() -> None:
        async with a_stack(tmp_path) as stack:
            stack.provider.give(Order(do=Fault.ERROR, times=1, **PERMANENT))
            said = await run(stack, "send", str(file), "--key", "k-1", "--wait", code=1)
            assert said.splitlines()[1].startswith(f"!!  {CHANNEL} route ")
            found = json.loads(
                await run(stack, "why", "--kind", kind_of(), "--key", "k-1", "--json")
            )
            (notification,) = found["notifications"]
            said = await run(stack, "redrive", "--id", notification["notification_id"])
            assert said.startswith(f"ok  route {notification['routes'][0]['route_id']} of")
            await stack.invoke("DispatchFunction", {})
            sent = json.loads(
                await run(stack, "send", str(file), "--key", "k-1", "--wait", "--json")
            )
            assert sent["notification_id"] == notification["notification_id"]
            assert [route["status"] for route in sent["routes"]] == ["published"]
            assert (await run(stack, "send", str(file))).count("ok  ") == 2
            assert len(stack.provider.ledger.accepted) == 2
            for words in (["why"], ["redrive"]):
                assert await run(stack, *words, "--id", str(uuid4()), code=1)

    asyncio.run(scenario())


def test_refused_submissions_in_sql_are_listed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_stack(tmp_path) as stack:
            assert await run(stack, "refused") == "No submission is refused.\n"
            with psycopg.connect(stack.database_url) as connection:
                for key in ("s-1", "s-2"):
                    connection.execute(SUBMITTED, (key,))
            await stack.invoke("SubmitFunction", {"expand": {}})
            said = await run(stack, "refused")
            assert said.count("  => refused ") == 2
            assert "not.a.kind, key s-1, submitted in SQL" in said
            listed = json.loads(await run(stack, "refused", "--json", "--limit", "1"))["refused"]
            assert [one["idempotency_key"] for one in listed] == ["s-2"]
            told = await run(stack, "why", "--kind", "not.a.kind", "--key", "s-1")
            assert "=> refused" in told

    asyncio.run(scenario())


SUBMITTED = """
select dovecote.submit('not.a.kind', %s, '{}', '[{"email": "success@simulator.amazonses.com"}]')
"""
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
            told = await run(stack, "why", "--id", posted["notification_id"])
        assert told.count("\\x1b[2K\\x1b[1A\\x9b2K\\r\\u202e\\u200b") >= 4
        assert [line for line in told.split("\n") if not line.isprintable()] == []
        assert "forged" not in [line.strip() for line in told.split("\n")]

    asyncio.run(scenario())
