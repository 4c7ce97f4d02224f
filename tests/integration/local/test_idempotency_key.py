"""The Idempotency-Key header over real HTTP: through the local gateway to submit."""

import asyncio
import json
from typing import Any

import psycopg
import pytest
from aiohttp.test_utils import TestClient, TestServer

from local import gateway
from local.process import Answer
from local.template import Route
from tests.functions import Functions
from tests.integration.test_http import count
from tests.sending import channel_body

Connection = psycopg.Connection[Any]
ROUTES = [Route(method="POST", path="/notifications", function="submit")]


def post(functions: Functions, *keys: str, **members: Any) -> tuple[int, dict[str, Any]]:
    """Post a notification with a header for each key; return the status and the body."""

    async def invoke(function: str, payload: bytes) -> Answer:
        answer = functions.invoke(function, json.loads(payload))
        return Answer(payload=json.dumps(answer).encode(), failed=False)

    async def run() -> tuple[int, dict[str, Any]]:
        app = gateway.create_app(ROUTES, invoke)
        async with TestClient(TestServer(app)) as client:
            headers = [("Idempotency-Key", key) for key in keys]
            body = channel_body(**{"idempotency_key": None, **members})
            async with client.post("/notifications", json=body, headers=headers) as answer:
                return answer.status, await answer.json(content_type=None)

    return asyncio.run(run())


@pytest.mark.parametrize(
    "keys",
    [
        ("a", "b"),
        ("a", "a"),
        ('"a"', '"b"'),
        ('"a"', '"a"'),
        ('"a"', "b"),
        ("a", '"b"'),
        ("a", ""),
        ("", "a"),
        ('"a";p=1', '"b"'),
        ("a,b",),
        ('"a', 'b"x'),
        ('"a\\n"',),
    ],
)
def test_a_header_that_is_no_one_key_is_refused(
    functions: Functions, connection: Connection, keys: tuple[str, ...]
) -> None:
    status, body = post(functions, *keys)
    assert (status, body["status"], count(connection)) == (400, 400, 0)
    # Nor does a key in the body mend it.
    assert post(functions, *keys, idempotency_key="a")[0] == 400


def test_spellings_of_one_key_are_one_notification(
    functions: Functions, connection: Connection
) -> None:
    spellings = ["k-1", '"k-1"', ' "k-1" ', '"k-1";p', '"k-1"; p="x,y";q=?0']
    answers = [post(functions, spelling) for spelling in spellings]
    answers.append(post(functions, idempotency_key="k-1"))
    answers.append(post(functions, '"k-1"', idempotency_key="k-1"))
    assert {status for status, _ in answers} == {202}
    assert len({body["notification_id"] for _, body in answers}) == 1
    assert count(connection) == 1


@pytest.mark.parametrize(
    ("header", "key"),
    [('"a,b"', "a,b"), (r'"say \"hi\""', 'say "hi"'), (r'"a\\b"', r"a\b"), ("a;b", "a;b")],
)
def test_a_key_is_stored_as_it_is_read(
    functions: Functions, connection: Connection, header: str, key: str
) -> None:
    assert post(functions, header)[0] == 202
    assert post(functions, idempotency_key=key)[0] == 202
    found = connection.execute("select idempotency_key from dovecote.notifications").fetchall()
    assert found == [(key,)]
