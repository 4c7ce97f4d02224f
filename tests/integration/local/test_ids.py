"""Over HTTP, a call that names a person or device reaches that one and no other."""

import asyncio
import http.client
import json
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from dovecote.core.parsing.addresses import BadAddress, normalised
from dovecote.core.parsing.identifiers import is_identifier
from local.playground import SETTINGS, push_targets
from local.provider import Provider
from local.stack import Options, Stack

pytestmark = pytest.mark.channels("email", "push")

NUMBERS = count(1)
LATER = "2999-01-01T00:00:00Z"

IDS = (
    "u", "U", "u ", " u", "u u", "u+u", "u%20u", "u%2Bu", "u%252Bu", "u/u", "u%2Fu", "u/devices/u",
    "u?u", "u?user_id=v", "u%3Fu", "u#u", "u&u", "u&user_id=v", "u=u", "=u", "&", "=", "+", "%",
    "%%", "%00", "%0A", "%FF", "%zz", "100%", ".", "..", "../..", "u/..", "%2e%2e", "u,u", ",",
    "u;u", "u\u00e9", "ue\u0301", "\u00fc\u4f8b", "\U0001f54a", "\U0001f469\u200d\U0001f4bb",
    "u\u202eu", "u\u200b", "u\u00a0u", "\ufeffu", "'; drop table users; --", '"u"', "\\u0000",
    "<u>", "{u}", "null", "[]", "a" * 255, "\U0001f54a" * 255,
)  # fmt: skip
ADDRESSES = (
    "ann@example.com", "ann+tag@example.com", "ann%2Btag@example.com", "ann%40x@example.com",
    "a/b@example.com", "a?b@example.com", "a#b@example.com", "a&email=b@example.com",
    "a=b@example.com", "a%b@example.com", "a%20b@example.com", "o'hara@example.com",
    "!#$%&'*+-/=?^_`{|}~@example.com", "ann@b\u00fccher.example", "ann@xn--bcher-kva.example.org",
)  # fmt: skip


class House:
    """A local stack that is asked over HTTP."""

    def __init__(self, url: str) -> None:
        self._place = urlsplit(url).netloc

    def ask(self, method: str, target: str, body: Any = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(self._place, timeout=30)
        connection.request(method, target, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, json.loads(content) if content else None

    def submit(self, **recipient: str) -> str:
        """Submit a notification for later; return its id."""
        body = {
            "kind": "order.shipped",
            "idempotency_key": f"key-{next(NUMBERS)}",
            "payload": {"order_id": "1", "carrier": "DHL", "first_name": "Ann"},
            "recipients": [recipient],
            "deliver_at": LATER,
        }
        status, answer = self.ask("POST", "/notifications", body)
        assert status == 202, answer
        return str(answer["notification_id"])

    def found(self, **person: str) -> set[str]:
        (name, value), *_ = person.items()
        status, answer = self.ask("GET", f"/notifications?{name}={quote(value, safe='')}&limit=100")
        assert status == 200, answer
        return {one["notification_id"] for one in answer["notifications"]}

    def register(self, user: str, session: str) -> None:
        device = {"user_id": user, "device_session_id": session}
        token = {"platform": "fcm", "token": f"token-{next(NUMBERS)}"}
        status, answer = self.ask("PUT", "/devices", device | token)
        assert (status, answer) == (200, device | {"platform": "fcm"})

    def devices(self, user: str) -> set[str]:
        """Return the sessions of a user's devices, read page by page."""
        sessions: list[str] = []
        path: str | None = f"/devices?user_id={quote_plus(user)}&limit=40"
        while path is not None:
            status, answer = self.ask("GET", path)
            assert status == 200, answer
            assert {one["user_id"] for one in answer["devices"]} <= {user}
            sessions += (one["device_session_id"] for one in answer["devices"])
            after = answer["next"]
            page = f"/devices?user_id={quote_plus(user)}&limit=40"
            path = None if after is None else f"{page}&after={quote_plus(after)}"
        assert len(sessions) == len(set(sessions))
        return set(sessions)

    def forget(self, user: str) -> None:
        """Erase a user, and let the user be stored again."""
        for call in ("users", "suppressions"):
            self.ask("DELETE", f"/{call}?user_id={quote(user, safe='')}")


@contextmanager
def running(directory: Path) -> Iterator[House]:
    """Run a stack in a thread of its own."""
    begun: queue.Queue[Any] = queue.Queue()

    async def scenario() -> None:
        over, provider = asyncio.Event(), Provider()
        options = Options(
            directory=directory,
            environment={**SETTINGS, **push_targets(provider, "ids"), "PUSH_TOPIC_ARN": ""},
            tick_seconds=3600,
            durable=False,
        )
        async with Stack(options, provider) as stack:
            begun.put((stack.api_url, asyncio.get_running_loop(), over))
            await over.wait()

    thread = Thread(target=lambda: asyncio.run(scenario()))
    thread.start()
    url, loop, over = begun.get(timeout=60)
    try:
        yield House(url)
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with running(tmp_path_factory.mktemp("ids") / "stack") as one:
        yield one


def spelt(value: str) -> Iterator[str]:
    """Yield a value as clients write it in a query."""
    yield from (quote(value, safe=""), quote_plus(value))


def test_each_call_reaches_the_user_that_it_names_among_all_of_them(functions: House) -> None:
    assert [user for user in IDS if not is_identifier(user)] == []
    of = {user: functions.submit(user_id=user) for user in IDS}
    for user in IDS:
        functions.register(user, "phone")
    for user in IDS:
        assert functions.found(user_id=user) == {of[user]}, user
        assert functions.devices(user) == {"phone"}, user
        target = f"/notifications/{of[user]}?user_id={quote(user, safe='')}"
        status, story = functions.ask("GET", target)
        assert (status, {route["user_id"] for route in story["routes"]}) == (200, {user})
    for user in IDS:
        status, erased = functions.ask("DELETE", f"/users?user_id={quote(user, safe='')}")
        # One notification's routes, by email and by push, and one device: no others.
        assert (status, erased["erased"], erased["devices"]) == (200, 2, 1), user
        assert functions.found(user_id=user) == set()
        assert functions.devices(user) == set()


def test_each_call_reaches_the_device_that_it_names_among_all_of_a_user(functions: House) -> None:
    user = "a user/of?all&devices=1"
    for session in IDS:
        functions.register(user, session)
    left = set(IDS)
    for session in IDS:
        device = f"user_id={quote_plus(user)}&device_session_id={quote(session, safe='')}"
        answer = functions.ask("GET", f"/devices?{device}")[1]
        assert [one["device_session_id"] for one in answer["devices"]] == [session]
        assert functions.ask("DELETE", f"/devices?{device}") == (204, None), session
        left.remove(session)
        assert functions.devices(user) == left
        assert functions.ask("DELETE", f"/devices?{device}")[0] == 404


def test_each_call_reaches_the_address_that_it_names(functions: House) -> None:
    of = {email: functions.submit(email=email) for email in ADDRESSES}
    for email in ADDRESSES:
        for form in {email, normalised(email), email.upper()}:
            assert functions.found(email=form) == {of[email]}, form
    for number, email in enumerate(ADDRESSES):
        status, put = functions.ask("PUT", "/suppressions", {"email": email})
        assert (status, put["email"]) == (200, normalised(email))
        for form in spelt(email.upper()):
            assert functions.ask("GET", f"/suppressions?email={form}")[0] == 200
        for other in ADDRESSES[number + 1 :]:
            assert functions.ask("GET", f"/suppressions?email={quote(other, safe='')}")[0] == 404
    for email in ADDRESSES:
        target = f"/suppressions?email={quote(email, safe='')}&release=true"
        assert functions.ask("DELETE", target) == (200, {"released": 0}), email
        assert functions.ask("DELETE", target)[0] == 404
        status, erased = functions.ask("DELETE", f"/recipients?email={quote(email, safe='')}")
        assert (status, erased["erased"]) == (200, 1), email


characters = st.characters(codec="utf-8") | st.sampled_from("%+&=?#/.;, 2BFf0")
identifiers = st.text(characters, min_size=1, max_size=40).filter(is_identifier)
emails = st.builds(
    "{}@{}.example".format,
    st.text(st.sampled_from("aB9.!#$%&'*+-/=?^_`{|}~"), min_size=1, max_size=20),
    st.text(st.sampled_from("ab9-\u00fc\u4f8b"), min_size=1, max_size=10),
)
over_http = settings(
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@over_http
@given(users=st.lists(identifiers, min_size=2, max_size=2, unique=True), session=identifiers)
def test_of_two_users_a_call_reaches_the_one_that_it_names(
    functions: House, users: list[str], session: str
) -> None:
    one, other = users
    for user in users:
        functions.forget(user)  # what other examples left
    of = {user: functions.submit(user_id=user) for user in users}
    for user in users:
        functions.register(user, session)
        assert functions.found(user_id=user) == {of[user]}
        assert functions.devices(user) == {session}
    device = f"user_id={quote_plus(one)}&device_session_id={quote_plus(session)}"
    assert functions.ask("DELETE", f"/devices?{device}")[0] == 204
    assert (functions.devices(one), functions.devices(other)) == (set(), {session})
    status, erased = functions.ask("DELETE", f"/users?user_id={quote_plus(other)}")
    assert (status, erased["erased"] >= 1, erased["devices"]) == (200, True, 1)
    assert (functions.found(user_id=one), functions.found(user_id=other)) == ({of[one]}, set())


@over_http
@given(email=emails)
def test_an_address_that_submit_accepts_can_be_named(functions: House, email: str) -> None:
    try:
        mailed = normalised(email)
    except BadAddress:
        assume(False)
    notification = functions.submit(email=email)
    for form in (email, mailed):
        assert notification in functions.found(email=form)
        assert functions.ask("PUT", "/suppressions", {"email": form})[0] == 200
        target = f"/suppressions?email={quote(form, safe='')}"
        assert functions.ask("GET", target)[1]["email"] == mailed
        assert functions.ask("DELETE", target)[0] == 200
    assert functions.ask("DELETE", f"/recipients?email={quote_plus(email)}")[1]["erased"] >= 1
    assert notification not in functions.found(email=mailed)
    # Another example may have this address too.
    assert functions.ask("DELETE", f"/suppressions?email={quote_plus(email)}")[0] == 200


UNNAMED = (
    ("DELETE", "/users", "user_id"),
    ("DELETE", "/users?", "user_id"),
    ("DELETE", "/users?user_id", "user_id"),
    ("DELETE", "/users?user_id=", "user_id"),
    ("DELETE", "/users?user_id=u&user_id=u", "user_id"),
    ("DELETE", "/users?user_id=u&user_id=other", "user_id"),
    ("DELETE", "/users?user_id=u&dry_run=true", "dry_run"),
    ("DELETE", "/users?USER_ID=u", "USER_ID"),
    ("DELETE", "/users?user_id=u&=", ": is not a parameter"),
    ("DELETE", "/users?user_id=u%00", "user_id"),
    ("DELETE", "/recipients?user_id=u", "email"),
    ("DELETE", "/recipients?email=mia@example.com&email=ben@example.com", "email"),
    ("DELETE", "/recipients?email=mia@example.com,ben@example.com", "email"),
    ("DELETE", "/devices?user_id=u", "device_session_id"),
    ("DELETE", "/devices?device_session_id=d", "user_id"),
    ("DELETE", "/devices?user_id=u&device_session_id=", "device_session_id"),
    ("DELETE", "/devices?user_id=u&device_session_id=d&device_session_id=d", "device_session_id"),
    ("DELETE", "/suppressions?email=mia@example.com&release=true&release=false", "release"),
    ("DELETE", "/suppressions?email=mia@example.com&release=", "release"),
    ("DELETE", "/suppressions?email=mia@example.com&Release=true", "Release"),
    ("DELETE", "/notifications/{id}?user_id=u", "user_id"),
    ("DELETE", "/notifications/{id}?dry_run=true", "dry_run"),
    ("POST", "/dead-letters/redrive?dry_run=true", "dry_run"),
    ("POST", "/dead-letters/{id}/redrive?expires_at=2999-01-01T00:00:00Z", "expires_at"),
    ("PUT", "/devices?user_id=u", "user_id"),
    ("PUT", "/suppressions?email=mia@example.com", "email"),
    ("GET", "/devices", "user_id"),
    ("GET", "/devices?user_id=u&user_id=v", "user_id"),
    ("GET", "/suppressions", "email"),
    ("GET", "/notifications?user_id=u&user_id=u", "user_id"),
)


@pytest.mark.parametrize(("method", "target", "named"), UNNAMED)
def test_a_call_that_does_not_name_one_thing_is_refused_and_changes_nothing(
    functions: House, method: str, target: str, named: str
) -> None:
    functions.forget("u")
    functions.ask("DELETE", "/suppressions?email=mia@example.com")
    stored = functions.submit(user_id="u", email="mia@example.com")
    functions.register("u", "d")
    before = functions.ask("GET", f"/notifications/{stored}")[1]
    assert "pending" in {route["status"] for route in before["routes"]}
    body = {"filter": {}} if method == "POST" else {"email": "mia@example.com"}
    sent = None if method in ("DELETE", "GET") else body
    status, problem = functions.ask(method, target.format(id=stored), sent)
    assert status == 422
    assert any(named in error["detail"] for error in problem["errors"]), problem
    assert (functions.found(user_id="u"), functions.devices("u")) == ({stored}, {"d"})
    assert functions.ask("GET", f"/notifications/{stored}")[1] == before
    assert functions.ask("GET", "/suppressions?email=mia@example.com")[0] == 404


@pytest.mark.parametrize("value", ["%FF", "%C3", "%ED%A0%80", "%", "%2", "%zz", "100%", "u%u"])
@pytest.mark.parametrize(
    "target", ["/users?user_id=", "/recipients?email=", "/devices?user_id=u&device_session_id="]
)
def test_a_query_with_two_readings_is_a_400(functions: House, target: str, value: str) -> None:
    status, problem = functions.ask("DELETE", target + value)
    assert (status, problem["status"]) == (400, 400)
    assert "The query string" in problem["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "{id}%2F..", "{id}/..", "..%2F{id}", "%2e%2e%2f{id}", "{id}%2Fredrive", "{id}%252F..",
        "%252e%252e%252f{id}", "{id}%00", "{id}%20", "%FF", "{id}%23x", "%7B{id}%7D%2F",
    ],
)  # fmt: skip
def test_a_path_that_is_not_an_id_cancels_nothing(functions: House, path: str) -> None:
    stored = functions.submit(user_id="u-path", email="eve@example.com")
    for method in ("DELETE", "GET"):
        assert functions.ask(method, "/notifications/" + path.format(id=stored))[0] == 404
    routes = functions.ask("GET", f"/notifications/{stored}")[1]["routes"]
    assert [route["status"] for route in routes if route["channel"] == "email"] == ["pending"]
