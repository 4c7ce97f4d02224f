"""Control characters in ids and keys are refused by every way to submit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dovecote.core.parsing import queries
from dovecote.core.problems import Invalid
from dovecote.submit import submission
from tests.functions import Functions
from tests.integration.test_http import assert_problem
from tests.integration.test_submit_in_sql import count, submit, wired
from tests.sending import a_body

Connection = psycopg.Connection[Any]

__all__ = ["wired"]

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "controls.json").read_text())
ACCEPTED = [one["text"] for one in VECTORS if one["accepted"]]
REFUSED = [one["text"] for one in VECTORS if not one["accepted"]]

WAYS: dict[str, Callable[[Functions, dict[str, Any]], Any]] = {
    "by HTTP": lambda functions, body: functions.post(body).body,
    "in a batch": lambda functions, body: member(functions.post_batch([body]).body),
    "directly": lambda functions, body: functions.invoke_submit(body),
    "directly in a batch": lambda functions, body: member(
        functions.invoke_submit({"notifications": [body]})
    ),
}


def member(results: Any) -> Any:
    (result,) = results["results"]
    return result.get("problem") or result["notification"]


def bodies(text: str) -> dict[str, dict[str, Any]]:
    """Return bodies in which the text is a key, a user or a session, by the pointer to it."""
    person = {**a_body()["recipients"][0], "user_id": "u-1"}
    return {
        "/idempotency_key": a_body(idempotency_key=text),
        "/recipients/0/user_id": a_body(
            idempotency_key=f"user {text!a}", recipients=[{**person, "user_id": text}]
        ),
        "/recipients/0/device_session_id": a_body(
            idempotency_key=f"session {text!a}", recipients=[{**person, "device_session_id": text}]
        ),
    }


@pytest.mark.parametrize("way", WAYS)
def test_a_control_character_is_refused_with_a_pointer(
    wired: Functions, connection: Connection, way: str
) -> None:
    for text in REFUSED:
        for pointer, body in bodies(text).items():
            answer = WAYS[way](wired, body)
            assert answer["status"] == 422, (text, answer)
            assert [error["pointer"] for error in answer["errors"]] == [pointer], text
    assert count(connection) == 0
    for text in ACCEPTED:
        for body in bodies(text).values():
            assert "notification_id" in WAYS[way](wired, body), text


def test_a_message_with_a_control_character_is_not_taken(
    wired: Functions, connection: Connection
) -> None:
    for text in REFUSED:
        messages = [json.dumps(body) for body in bodies(text).values()]
        assert len(wired.submit_messages(*messages)["batchItemFailures"]) == 3, text
    assert count(connection) == 0
    for text in ACCEPTED:
        messages = [json.dumps(body) for body in bodies(text).values()]
        assert wired.submit_messages(*messages) == {"batchItemFailures": []}, text


def test_a_header_with_a_control_character_is_refused(
    wired: Functions, connection: Connection
) -> None:
    for text in REFUSED:
        answer = wired.post(a_body(idempotency_key=None), {"Idempotency-Key": text})
        assert_problem(answer, 422)
        assert answer.body["errors"][0]["pointer"] == "/idempotency_key", text
    assert count(connection) == 0


def test_a_control_character_is_refused_in_sql(wired: Functions, connection: Connection) -> None:
    for text in REFUSED:
        with pytest.raises(psycopg.Error) as refused:
            submit(connection, **a_body(idempotency_key=text))
        assert refused.value.sqlstate == "VC422", text
        assert text not in str(refused.value)
        for body in list(bodies(text).values())[1:]:
            submit(connection, **body)
    assert wired.expand() == {
        "routes_expanded": 0, "expanded": 0, "refused": 2 * len(REFUSED), "failed": 0,
        "remaining": False,
    }  # fmt: skip
    assert count(connection) == 0
    for text in ACCEPTED:
        for body in bodies(text).values():
            assert submit(connection, **body)[2] is False, text
    assert wired.expand()["expanded"] == 3 * len(ACCEPTED)


def test_a_device_with_a_control_character_is_not_registered(wired: Functions) -> None:
    device = {"user_id": "u", "device_session_id": "d", "platform": "fcm", "token": "t"}
    for name in ("user_id", "device_session_id"):
        for text in REFUSED + ACCEPTED:
            body = json.dumps({**device, name: text}).encode()
            (error,) = wired.call("PUT", "/devices", body).body["errors"]
            # No platform application is configured here: a valid device is refused for that alone.
            assert error["pointer"] == ("" if text in ACCEPTED else f"/{name}"), text


def test_a_person_is_not_looked_for_by_a_control_character() -> None:
    for text in REFUSED:
        with pytest.raises(queries.BadValue):
            queries.identifier(text)
    assert [queries.identifier(text) for text in ACCEPTED] == ACCEPTED


def test_python_and_sql_agree_on_every_character_of_a_key(connection: Connection) -> None:
    """Up to U+3100, which has all blanks and controls, and samples above; no text has NUL."""
    further = (0xE000, 0xFEFF, 0xFFFD, 0xFFFF, 0x1F468, 0xE0001, 0x10FFFF)
    texts = [chr(code) for code in (*range(1, 0x3100), *further)]
    with connection.transaction():
        keys = {text for text in texts if is_key_in_sql(connection, text)}
    assert keys == {text for text in texts if is_key(text)}
    assert len(texts) - len(keys) == 31 + 33 + 2


def is_key_in_sql(connection: Connection, text: str) -> bool:
    try:
        with connection.transaction():
            submit(connection, idempotency_key=text)
    except psycopg.Error as error:
        return error.sqlstate != "VC422"
    return True


def is_key(text: str) -> bool:
    body = json.dumps(a_body(idempotency_key=text)).encode()
    try:
        submission.parse(body, key=None, traceparent=None)
    except Invalid:
        return False
    return True
