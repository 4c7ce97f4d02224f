"""Nothing confidential leaves the database: a canary planted wherever one can be is not heard.

Addresses, a token, a user and values of payloads hold the word. Over the local stack they are sent,
refused, retried, bounced, dead-lettered by a provider that repeats them, redriven and cancelled.
Then the word is in no line of a log, no problem document, and no error, reason or detail.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest

from local.playground import SETTINGS, push_targets
from local.provider import Fault, Order, Provider
from local.stack import Options, Stack
from tests.canary import CANARY, heard, kept
from tests.functions import PROBLEM

pytestmark = pytest.mark.channels("email", "push")

USER = f"{CANARY}-user"
TOKEN = f"{CANARY}0" * 9
LATER = "2999-01-01T00:00:00Z"
# What the provider repeats of a request that it refuses.
ECHO = f"Rejected: {{}} with {CANARY} carrier for {USER}, token {TOKEN}."

ENDS = {
    "success": "published",
    "bounce": "published",
    "complaint": "published",
    "refused": "dead_lettered",
    "again": "published",
    "lost": "published",
    "worn-out": "dead_lettered",
    "later": "cancelled",
}


def address(case: str) -> str:
    return f"{case}+{CANARY}@simulator.amazonses.com"


def orders() -> list[Order]:
    """Return what the provider does to the addresses, and to the device."""

    def echoing(case: str, status: int, code: str, times: int | None = None) -> Order:
        mailbox = address(case)
        return Order(
            do=Fault.ERROR, service="ses", address=mailbox, status=status, code=code,
            message=ECHO.format(mailbox), times=times,
        )  # fmt: skip

    return [
        echoing("refused", 400, "MessageRejected"),
        echoing("again", 500, "InternalFailure", times=1),
        echoing("worn-out", 500, "InternalFailure"),
        Order(do=Fault.CLOSE_BEFORE_ACCEPTING, service="ses", address=address("lost"), times=1),
        Order(
            do=Fault.ERROR, service="sns", address=TOKEN, status=400, code="InvalidParameter",
            message=ECHO.format(TOKEN),
        ),
    ]  # fmt: skip


def a_payload(order_id: Any) -> dict[str, Any]:
    return {"order_id": order_id, "carrier": f"{CANARY} carrier"}


def a_body(case: str, **overrides: Any) -> dict[str, Any]:
    recipient = {"email": address(case), "user_id": USER, "data": {"first_name": f"{CANARY} Ann"}}
    body = {
        "kind": "order.shipped",
        "idempotency_key": f"key-{case}",
        "payload": a_payload(f"{CANARY}-1234"),
        "recipients": [recipient],
    }
    return body | overrides


@dataclass
class Calls:
    """Calls of the API, and the problem documents that were answered."""

    session: aiohttp.ClientSession
    problems: list[str] = field(default_factory=list)

    async def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.session.request(method, path, data=data) as answer:
            text = await answer.text()
            if answer.content_type == PROBLEM:
                self.problems.append(text)
            return answer.status, json.loads(text) if text else None


async def refused(call: Calls) -> None:
    """Send what is refused, with the word wherever it can stand."""
    device = {"user_id": USER, "device_session_id": f"{CANARY}-phone"}
    recipient = a_body("x")["recipients"][0]
    replayed = a_body("success", payload={"order_id": "1", "carrier": f"{CANARY} other"})
    for expected, method, path, body in (
        (400, "POST", "/notifications", b'{"kind": "' + CANARY.encode()),
        (400, "POST", "/notifications", a_body("x", idempotency_key=None)),
        (413, "POST", "/notifications", a_body("x", recipients=[recipient] * 1001)),
        (422, "POST", "/notifications", a_body("x", kind=CANARY)),
        (422, "POST", "/notifications", a_body("x", payload=a_payload([CANARY]))),
        (422, "POST", "/notifications", a_body("x", payload=a_payload(f"{CANARY} !"))),
        (422, "POST", "/notifications", a_body("x", deliver_at=CANARY)),
        (422, "POST", "/notifications", a_body("x", recipients=[{"email": f"{CANARY}@"}])),
        (422, "POST", "/notifications", a_body("x", recipients=[{"locale": f"{CANARY}!"}])),
        (422, "POST", "/notifications", a_body("x", recipients=[CANARY])),
        (422, "POST", "/notifications", replayed),
        (404, "GET", f"/notifications/{CANARY}", None),
        (404, "DELETE", f"/devices?user_id={USER}&device_session_id={CANARY}-2", None),
        (422, "DELETE", f"/devices?user_id={CANARY}", None),
        (422, "DELETE", f"/users?user_id={CANARY}%00", None),
        (422, "DELETE", f"/recipients?email={CANARY}", None),
        (422, "PUT", "/devices", {**device, "platform": CANARY, "token": TOKEN}),
        (422, "PUT", "/devices", {**device, "platform": "fcm", "token": f"{CANARY}\n"}),
        (422, "PUT", "/devices", {**device, "platform": "fcm", "token": TOKEN, CANARY[:3]: CANARY}),
        (400, "PUT", "/devices", b"[" + CANARY.encode()),
        (404, "POST", f"/dead-letters/{CANARY}/redrive", b""),
        (422, "POST", f"/dead-letters/{'0' * 32}/redrive", {"expires_at": CANARY}),
    ):
        status, _ = await call(method, path, body)
        assert status == expected, (method, path, body)


async def ended(url: str) -> dict[str, str]:
    """Wait for the emails to end; return how each did by its case."""
    query = (
        "select split_part(address, '+', 1), status from dovecote.notification_routes"
        " where channel = 'email'"
    )
    async with asyncio.timeout(60):
        while True:
            with psycopg.connect(url) as connection:
                found = dict(connection.execute(query.encode()).fetchall())
            if found == ENDS:
                return found
            await asyncio.sleep(0.2)


async def live(stack: Stack, call: Calls) -> None:
    """Let happen to a notification all that can."""
    device = {"user_id": USER, "device_session_id": f"{CANARY}-phone"}
    put = await call("PUT", "/devices", {**device, "platform": "fcm", "token": TOKEN})
    assert put[0] == 200
    stack.provider.give(*orders())
    for case in ENDS:
        body = a_body(case, deliver_at=LATER if case == "later" else None)
        assert (await call("POST", "/notifications", body))[0] == 202
        status, receipt = await call("POST", "/notifications", body)
        assert status == 202
        if case == "later":
            assert (await call("DELETE", f"/notifications/{receipt['notification_id']}"))[0] == 200
    await refused(call)
    await ended(stack.database_url)
    await redriven(stack, call)
    await ended(stack.database_url)
    await asyncio.sleep(1)  # for SES's last events


async def redriven(stack: Stack, call: Calls) -> None:
    """Redrive each dead letter, to have it refused again."""
    with psycopg.connect(stack.database_url) as connection:
        letters = connection.execute(
            "select route_id from dovecote.notification_dead_letters where closed_at is null"
        ).fetchall()
    assert len(letters) > 2
    for (route_id,) in letters:
        assert (await call("POST", f"/dead-letters/{route_id}/redrive", b""))[0] == 202
        assert (await call("POST", f"/dead-letters/{route_id}/redrive", b""))[0] in (202, 409)


def over_a_stack(
    directory: Path, story: Callable[[Stack, Calls], Awaitable[None]]
) -> tuple[list[str], dict[str, str], list[str]]:
    """Run a story; return its problem documents, its logs by function, and what the store keeps."""

    async def run() -> tuple[list[str], dict[str, str], list[str]]:
        provider = Provider()
        feedback = {"EMAIL_FEEDBACK": "on", "EMAIL_CONFIGURATION_SET": "canaries"}
        options = Options(
            directory=directory,
            parameters={"EmailIdentity": "example.com", "EmailConfigurationSet": "canaries"},
            environment={
                **SETTINGS, **push_targets(provider, "dovecote"), **feedback,
                "MAX_ATTEMPTS": "3", "AMBIGUOUS_HOLD_SECONDS": "1", "POWERTOOLS_LOG_LEVEL": "DEBUG",
            },
            tick_seconds=0.5,
            durable=False,
        )  # fmt: skip
        async with Stack(options, provider) as stack:
            async with aiohttp.ClientSession(stack.api_url) as session:
                call = Calls(session)
                await story(stack, call)
            with psycopg.connect(stack.database_url) as connection:
                texts = kept(connection)
            logs = {path.stem: path.read_text() for path in stack.logs.directory.iterdir()}
            return call.problems, logs, texts

    return asyncio.run(run())


def test_what_is_confidential_is_in_no_log_no_problem_and_no_error(tmp_path: Path) -> None:
    problems, logs, texts = over_a_stack(tmp_path / "stack", live)
    assert len(problems) >= 19
    assert [text for text in problems if heard(text)] == []
    assert logs.keys() >= {"SubmitFunction", "DispatchFunction", "FeedbackFunction"}
    assert [line for log in logs.values() for line in log.splitlines() if heard(line)] == []
    # Codes of the provider are kept, and none of its words.
    assert {"InternalFailure (500)", "InvalidParameter (400)"} <= set(texts)
    assert [text for text in texts if "Rejected:" in text or "carrier" in text] == []
    assert [text for text in texts if heard(text)] == []
