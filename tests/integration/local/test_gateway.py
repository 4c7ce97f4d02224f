import asyncio
import base64
import io
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from local import gateway
from local.process import Answer
from local.template import Route

ROUTES = [
    Route(method="ANY", path="/{proxy+}", function="rest"),
    Route(method="GET", path="/users/{user_id}/devices/{device_session_id}", function="device"),
    Route(method="GET", path="/users/{user_id}/devices/all", function="all"),
    Route(method="DELETE", path="/users/{user_id}", function="erase"),
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


@pytest.mark.parametrize(
    ("method", "sent", "path", "function", "parameters"),
    [
        ("GET", "/users/a%20b%C3%A9/devices/d+1", "/users/a b\u00e9/devices/d+1", "device",
         {"user_id": "a b\u00e9", "device_session_id": "d+1"}),
        # A decoded slash separates segments.
        ("DELETE", "/users/x", "/users/x", "erase", {"user_id": "x"}),
        ("GET", "/users/x%2Fdevices%2Fy", "/users/x/devices/y", "device",
         {"user_id": "x", "device_session_id": "y"}),
        ("DELETE", "/users%2Fx", "/users/x", "erase", {"user_id": "x"}),
        ("DELETE", "/users/x%2F", None, None, None),
        # A decoded question mark ends the path.
        ("DELETE", "/users/who%3Fme", "/users/who", "erase", {"user_id": "who"}),
        ("DELETE", "/users/who%3Fme?real=1", "/users/who", "erase", {"user_id": "who"}),
        # Text that is encoded twice is decoded once.
        ("DELETE", "/users/x%252Fy", "/users/x%2Fy", "erase", {"user_id": "x%2Fy"}),
        ("DELETE", "/users/who%253Fme", "/users/who%3Fme", "erase", {"user_id": "who%3Fme"}),
        ("DELETE", "/users/%2525", "/users/%25", "erase", {"user_id": "%25"}),
        # Dot segments are segments like others.
        ("DELETE", "/users/x%2F..", None, None, None),
        ("DELETE", "/users/%2e%2e", "/users/..", "erase", {"user_id": ".."}),
        ("DELETE", "/users/%2E%2E%2Fnotes", None, None, None),
        ("DELETE", "/users/%252e%252e", "/users/%2e%2e", "erase", {"user_id": "%2e%2e"}),
        # Other characters of a URL, and bytes that are not UTF-8.
        ("DELETE", "/users/a%23b%26c%3Dd%3B", "/users/a#b&c=d;", "erase", {"user_id": "a#b&c=d;"}),
        ("DELETE", "/users/a%0Ab", "/users/a\nb", "erase", {"user_id": "a\nb"}),
        ("DELETE", "/users/%00", "/users/\0", "erase", {"user_id": "\0"}),
        ("DELETE", "/users/%FF", "/users/\ufffd", "erase", {"user_id": "\ufffd"}),
        ("DELETE", "/users/100%25", "/users/100%", "erase", {"user_id": "100%"}),
    ],
)  # fmt: skip
def test_a_path_is_decoded_once_before_a_route_is_matched(
    method: str,
    sent: str,
    path: str | None,
    function: str | None,
    parameters: dict[str, str] | None,
) -> None:
    functions = Functions({"statusCode": 200})
    query = sent.partition("?")[2]

    async def scenario(client: Client) -> None:
        url = URL(f"http://{client.host}:{client.port}{sent}", encoded=True)
        async with client.session.request(method, url) as response:
            assert response.status == (404 if path is None else 200)

    converse(functions, scenario, ROUTES[1:])
    if path is None:
        assert functions.asked == []
        return
    assert functions.asked[0][0] == function
    assert functions.event["rawPath"] == functions.event["requestContext"]["http"]["path"] == path
    assert functions.event["pathParameters"] == parameters
    assert functions.event["rawQueryString"] == query


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

    converse(Functions(), scenario, routes=ROUTES[4:])


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
