import asyncio
import base64
import io
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer

from local import gateway
from local.process import Answer
from local.template import Route

ROUTES = [
    Route(method="ANY", path="/{proxy+}", function="rest"),
    Route(method="GET", path="/users/{user_id}/devices/{device_session_id}", function="device"),
    Route(method="GET", path="/users/{user_id}/devices/all", function="all"),
    Route(method="POST", path="/notes", function="submit"),
]


class Functions:
    """Functions that give one answer and remember what they were asked."""

    def __init__(self, answer: object = None, *, failed: bool = False) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._answer = Answer(payload=json.dumps(answer).encode(), failed=failed)

    async def __call__(self, function: str, payload: bytes) -> Answer:
        self.asked.append((function, json.loads(payload)))
        return self._answer

    @property
    def event(self) -> dict[str, Any]:
        return self.asked[-1][1]


Client = TestClient[Any, Any]


def converse(
    functions: Callable[[str, bytes], Awaitable[Answer]],
    scenario: Callable[[Client], Awaitable[None]],
    routes: list[Route] = ROUTES,
) -> None:
    async def run() -> None:
        app = gateway.create_app(routes, functions)
        async with TestClient(TestServer(app)) as client:
            await scenario(client)

    asyncio.run(run())


def test_an_event_has_payload_format_2() -> None:
    functions = Functions()

    async def scenario(client: Client) -> None:
        headers = [("X-Many", "a"), ("X-Many", "b"), ("Cookie", "one=1; two=2")]
        await client.post("/notes?a=1&a=2&b=%C3%A4", data='{"ä": 1}', headers=headers)

    converse(functions, scenario)
    event = functions.event
    assert functions.asked[0][0] == "submit"
    assert event["version"] == "2.0"
    assert event["routeKey"] == event["requestContext"]["routeKey"] == "POST /notes"
    assert event["rawPath"] == event["requestContext"]["http"]["path"] == "/notes"
    assert event["rawQueryString"] == "a=1&a=2&b=%C3%A4"
    assert event["queryStringParameters"] == {"a": "1,2", "b": "ä"}
    assert event["headers"]["x-many"] == "a,b"
    assert event["cookies"] == ["one=1", "two=2"]
    assert "cookie" not in event["headers"]
    assert event["requestContext"]["http"]["method"] == "POST"
    assert (event["body"], event["isBase64Encoded"]) == ('{"ä": 1}', False)
    assert "pathParameters" not in event


def test_path_parameters_are_decoded() -> None:
    functions = Functions()

    async def scenario(client: Client) -> None:
        await client.get("/users/a%2Fb%20c/devices/d-1")

    converse(functions, scenario)
    assert functions.asked[0][0] == "device"
    assert functions.event["pathParameters"] == {"user_id": "a/b c", "device_session_id": "d-1"}


def test_a_path_may_have_a_line_break_in_it() -> None:
    functions = Functions({"statusCode": 200})

    async def scenario(client: Client) -> None:
        response = await client.get("/users/a%0Ab/devices/d-1")
        assert response.status == 200
        other = await client.get("/users%0A", headers={"Accept": "text/plain"})
        assert other.status == 404
        assert await other.json() == {"message": "Not Found"}

    converse(functions, scenario, ROUTES[1:])
    assert functions.event["pathParameters"]["user_id"] == "a\nb"


@pytest.mark.parametrize(
    ("method", "path", "function"),
    [
        ("GET", "/users/u/devices/all", "all"),  # a full match goes before a variable
        ("GET", "/users/u/devices/d", "device"),
        ("PUT", "/users/u/devices/d", "rest"),  # another method, so the greedy route
        ("GET", "/a/b/c", "rest"),
    ],
)
def test_the_most_specific_route_is_chosen(method: str, path: str, function: str) -> None:
    functions = Functions()

    async def scenario(client: Client) -> None:
        await client.request(method, path)

    converse(functions, scenario)
    assert functions.asked[0][0] == function


def test_a_request_without_a_route_is_not_found() -> None:
    async def scenario(client: Client) -> None:
        response = await client.get("/notes")
        assert response.status == 404
        assert await response.json() == {"message": "Not Found"}

    converse(Functions(), scenario, routes=ROUTES[3:])


def test_a_body_that_is_no_text_is_base64() -> None:
    functions = Functions()

    async def scenario(client: Client) -> None:
        await client.post("/notes", data=b"\xff\x00")

    converse(functions, scenario)
    assert functions.event["isBase64Encoded"] is True
    assert base64.b64decode(functions.event["body"]) == b"\xff\x00"


def test_an_empty_body_is_absent() -> None:
    functions = Functions()

    async def scenario(client: Client) -> None:
        await client.post("/notes")

    converse(functions, scenario)
    assert "body" not in functions.event


def test_a_body_over_ten_megabytes_is_refused() -> None:
    functions = Functions()
    size = 10 * 1024 * 1024 + 1

    async def scenario(client: Client) -> None:
        try:
            response = await client.post("/notes", data=io.BytesIO(b"x" * size))
        except aiohttp.ClientConnectionError:
            return  # the answer was there before all of the body was, and the connection closed
        assert response.status == 413

    converse(functions, scenario)
    assert functions.asked == []


def test_an_answer_becomes_a_response() -> None:
    answer = {
        "statusCode": 202,
        "headers": {"Content-Type": "application/problem+json", "X-Number": 3},
        "cookies": ["a=1", "b=2"],
        "body": "ä",
    }

    async def scenario(client: Client) -> None:
        response = await client.post("/notes")
        assert response.status == 202
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.headers["X-Number"] == "3"
        assert response.headers.getall("Set-Cookie") == ["a=1", "b=2"]
        assert await response.read() == "ä".encode()

    converse(Functions(answer), scenario)


def test_a_base64_body_is_decoded() -> None:
    async def scenario(client: Client) -> None:
        response = await client.post("/notes")
        assert await response.read() == b"\xff"

    converse(Functions({"statusCode": 200, "body": "/w==", "isBase64Encoded": True}), scenario)


def test_any_other_answer_is_the_body_of_a_200() -> None:
    async def scenario(client: Client) -> None:
        response = await client.post("/notes")
        assert response.status == 200
        assert await response.json() == ["hello"]

    converse(Functions(["hello"]), scenario)


@pytest.mark.parametrize("answer", [{"statusCode": "many"}, {"statusCode": 200, "body": {"a": 1}}])
def test_an_answer_that_is_no_response_is_a_500(answer: object) -> None:
    async def scenario(client: Client) -> None:
        response = await client.post("/notes")
        assert response.status == 500
        assert await response.json() == {"message": "Internal Server Error"}

    converse(Functions(answer), scenario)


def test_a_function_that_failed_is_a_500() -> None:
    async def scenario(client: Client) -> None:
        response = await client.post("/notes")
        assert response.status == 500
        assert await response.json() == {"message": "Internal Server Error"}

    converse(Functions({"errorType": "ValueError"}, failed=True), scenario)


def test_a_function_that_takes_too_long_is_a_503(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "INTEGRATION_SECONDS", 0.1)

    async def slow(function: str, payload: bytes) -> Answer:
        await asyncio.sleep(0.3)
        return Answer(payload=b"{}")

    async def scenario(client: Client) -> None:
        response = await client.post("/notes")
        assert response.status == 503
        assert await response.json() == {"message": "Service Unavailable"}

    converse(slow, scenario)
