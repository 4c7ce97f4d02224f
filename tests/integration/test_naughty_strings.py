"""Every string of the Big List of Naughty Strings, everywhere that a string can be sent.

Each is taken or refused in words. What is taken is stored as it was sent, to the character.
"""

import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
import yaml

from dovecote.aws import openapi
from dovecote.core.parsing.identifiers import is_identifier
from local.provider import Running
from local.provider.ledger import Email, Push
from tests.functions import PROBLEM, Answer, Functions, environment, run_functions
from tests.naughty import KIND, STRINGS, free_catalog
from tests.sending import recipient

Connection = psycopg.Connection[Any]
LATER = "2999-01-01T00:00:00Z"


@pytest.fixture
def note(database_url: str, provider: Running, tmp_path: Path) -> Iterator[Functions]:
    """The functions with a kind that takes any payload."""
    catalog = free_catalog(tmp_path / "catalog")
    with run_functions(environment(database_url, provider.url, catalog)) as wired:
        yield wired


def a_note(number: int, **overrides: Any) -> dict[str, Any]:
    body = {
        "kind": KIND,
        "idempotency_key": f"key-{number}",
        "payload": {"text": "A note."},
        "recipients": [recipient()],
        "deliver_at": LATER,
    }
    return body | overrides


def assert_refused(answer: Answer, string: str) -> None:
    assert 400 <= answer.status < 500, string
    assert answer.headers["content-type"] == PROBLEM, string
    assert answer.body["status"] == answer.status, string


def sent(note: Functions, bodies: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Post each body; return the ids of those that were taken by the string that they hold."""
    taken = {}
    for string, body in bodies.items():
        answer = note.post(body)
        if answer.status == 202:
            taken[string] = answer.body["notification_id"]
        else:
            assert_refused(answer, string)
    return taken


def stored(connection: Connection, columns: str) -> dict[str, Any]:
    """Return what is stored of each notification and its route by the notification's id."""
    rows = connection.execute(
        f"select notification_id::text, {columns} from dovecote.notifications n"  # noqa: S608
        " join dovecote.notification_payloads p using (notification_id)"
        " join dovecote.notification_routes r using (notification_id)".encode()
    )
    return dict(rows.fetchall())


def test_the_list_is_there() -> None:
    assert len(STRINGS) > 500
    assert {"", "NULL", "\u200b", "' OR 1=1 -- 1", "<script>alert(123)</script>"} <= set(STRINGS)


def test_as_a_value_of_the_payload(
    note: Functions, connection: Connection, provider: Running
) -> None:
    bodies = {
        string: a_note(number, payload={"text": string}, deliver_at=None)
        for number, string in enumerate(STRINGS)
    }
    taken = sent(note, bodies)
    assert STRINGS - taken.keys() == {string for string in STRINGS if "\x00" in string}
    payloads = stored(connection, "p.payload")
    assert {string: json.loads(payloads[taken[string]])["text"] for string in taken} == {
        string: string for string in taken
    }
    shown = [text_of(row.content) for row in provider.provider.ledger.accepted]
    assert sorted(shown) == sorted(taken)


def text_of(content: Email | Push) -> str | None:
    """Return the text of an email, or that of the payload in a client event."""
    if isinstance(content, Email):
        return content.text
    text: str = json.loads(content.message)["payload"]["text"]
    return text


def has_controls(string: str) -> bool:
    return any(unicodedata.category(one) in {"Cc", "Zl", "Zp"} for one in string)


def test_as_an_idempotency_key(note: Functions, connection: Connection) -> None:
    bodies = {
        string: a_note(0, idempotency_key=string, payload={"text": str(number)})
        for number, string in enumerate(STRINGS)
    }
    taken = sent(note, bodies)
    assert STRINGS - taken.keys() == {
        string for string in STRINGS if has_controls(string) or not 1 <= len(string) <= 255
    }
    keys = stored(connection, "n.idempotency_key")
    for string, notification_id in taken.items():
        assert keys[notification_id] == string
        assert note.post(bodies[string]).headers["idempotent-replayed"] == "true"
        answer = note.call("GET", f"/notifications/{notification_id}")
        assert answer.body["idempotency_key"] == string


def test_as_headers(note: Functions, connection: Connection) -> None:
    for number, string in enumerate(STRINGS):
        body = a_note(0, idempotency_key=None, payload={"text": str(number)})
        answer = note.post(body, {"Idempotency-Key": string, "traceparent": string})
        if answer.status != 202:
            assert_refused(answer, string)
            continue
        location = answer.headers["location"]
        key = note.call("GET", location).body["idempotency_key"]
        quoted = len(string) >= 2 and string[0] == string[-1] == '"'
        assert key == (string[1:-1] if quoted else string.strip(" \t"))


def test_as_a_user_and_a_device(note: Functions, connection: Connection) -> None:
    bodies = {
        string: a_note(
            number,
            recipients=[recipient(user_id=string, device_session_id=string)],
        )
        for number, string in enumerate(STRINGS)
    }
    taken = sent(note, bodies)
    assert taken.keys() == {string for string in STRINGS if is_identifier(string)}
    users = stored(connection, "r.user_id")
    assert all(users[notification_id] == string for string, notification_id in taken.items())
    for string, notification_id in taken.items():
        (route,) = note.call("GET", f"/notifications/{notification_id}").body["routes"]
        assert route["user_id"] == string


def test_as_a_name_in_the_body(note: Functions) -> None:
    for number, string in enumerate(STRINGS):
        assert_refused(note.post(a_note(number) | {string: string}), string)
        assert_refused(note.post(a_note(number, kind=string)), string)
        assert_refused(note.post(a_note(number, deliver_at=string)), string)


# The paths and queries of every call


DESCRIBED = yaml.safe_load(openapi.SOURCE.read_text("utf-8"))


def queries() -> Iterator[tuple[str, str, str]]:
    """Yield method, path and name of each query parameter that is described."""
    shared = DESCRIBED["components"]["parameters"]
    for path, item in DESCRIBED["paths"].items():
        for method, operation in item.items():
            for one in operation.get("parameters", ()) if method != "parameters" else ():
                parameter = shared[one["$ref"].rpartition("/")[2]] if "$ref" in one else one
                if parameter["in"] == "query":
                    yield method.upper(), path, parameter["name"]


def routes(functions: Functions) -> Iterator[tuple[str, str]]:
    """Yield method and path of each route of the api function."""
    yield from (tuple(key.split(" ")) for key in functions._api.ROUTES)


def test_as_part_of_a_path(functions: Functions) -> None:
    called = 0
    for method, path in routes(functions):
        for string in filter(None, STRINGS):
            url = "/".join(
                quote(string, safe="") if part.startswith("{") else part for part in path.split("/")
            )
            try:
                answer = functions.call(method, url)
            except LookupError:  # a slash or a question mark: another path, or none
                continue
            called += 1
            if answer.status >= 300:
                assert_refused(answer, string)
    assert called > len(STRINGS)


def test_as_part_of_a_query(functions: Functions) -> None:
    served = set(routes(functions))
    for method, path, name in queries():
        for string in STRINGS if (method, path) in served else ():
            answer = functions.call(method, f"{path}?{name}={quote(string, safe='')}")
            if answer.status >= 300:
                assert_refused(answer, string)
