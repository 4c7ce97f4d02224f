"""Whatever a function is invoked with, it answers: what it cannot read with a 4xx problem."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from local.provider import Running
from tests.builders import CHANNEL
from tests.canary import CANARY
from tests.functions import Functions, environment, http_event, run_functions
from tests.integration.test_batch import good
from tests.sending import EVENTS, recipient

Connection = psycopg.Connection[Any]
PAYLOAD = good("key")["payload"]
PATTERNED, BOUNDED = {
    "email": ("reset_url", "valid_minutes"),
    "push": ("order_id", "minutes"),
}[CHANNEL]
"""The member of PAYLOAD that has a pattern, and the one that has a maximum of 60."""

HTTP = {"version": "2.0", "routeKey": "POST /notifications", "requestContext": {}}
NOT_SQS: dict[str, Any] = {
    "null": None,
    "true": True,
    "a number": 5,
    "a text": "text",
    "a list": [],
    "a list of lists": [[]],
    "an empty object": {},
    "records that are an object": {"Records": {}},
    "records that are text": {"Records": "aws:sqs"},
    "no records": {"Records": []},
    "records that are null": {"Records": None},
    "records that are numbers": {"Records": [5]},
    "deep": None,
}
NOT_SQS["deep"] = {"Records": [[[[[[]]]]]]}
MALFORMED_SQS: dict[str, Any] = {
    "nothing but its source": {"Records": [{"eventSource": "aws:sqs"}]},
    "a message without an id": {"Records": [{"eventSource": "aws:sqs", "body": "{}"}]},
    "an id that is null": {"Records": [{"eventSource": "aws:sqs", "messageId": None}]},
    "an id that is empty": {"Records": [{"eventSource": "aws:sqs", "messageId": ""}]},
    "an id that is a number": {"Records": [{"eventSource": "aws:sqs", "messageId": 1}]},
    "one of two without an id": {
        "Records": [{"eventSource": "aws:sqs", "messageId": "m", "body": "{}"}, {"body": "{}"}]
    },
    "one that is a number": {"Records": [{"eventSource": "aws:sqs", "messageId": "m"}, 5]},
    "one that is null": {"Records": [None, {"eventSource": "aws:sqs", "messageId": "m"}]},
}
MALFORMED_MESSAGES: dict[str, dict[str, Any]] = {
    "no body": {},
    "a body that is null": {"body": None},
    "a body that is a number": {"body": 5},
    "a body that is an object": {"body": {"kind": "order.shipped"}},
    "a body that is empty": {"body": ""},
    "a body that is deep": {"body": "[" * 100_000},
    "half of a surrogate pair": {"body": '"\ud800"'},
    "attributes that are null": {"body": "{}", "messageAttributes": None},
    "attributes that are a list": {"body": "{}", "messageAttributes": []},
    "an attribute that is text": {"body": "{}", "messageAttributes": {"traceparent": "x"}},
    "an attribute of a number": {
        "body": "{}", "messageAttributes": {"traceparent": {"stringValue": 5}},
    },
}  # fmt: skip
MALFORMED_HTTP: dict[str, dict[str, Any]] = {
    "no route": {"routeKey": None},
    "a route that is a number": {"routeKey": 5},
    "a context that is null": {"requestContext": None},
    "a context that is text": {"requestContext": "x"},
    "an authorizer that is text": {"requestContext": {"authorizer": "x"}},
    "headers that are a list": {"headers": []},
    "headers that are numbers": {"headers": {"idempotency-key": 5}},
    "a header that is null": {"headers": {"idempotency-key": None}},
    "a body that is an object": {"body": {}},
    "a body that is a number": {"body": 5},
    "wrong base64": {"body": "eA=", "isBase64Encoded": True},
    "base64 beyond ASCII": {"body": "\u00fc", "isBase64Encoded": True},
    "base64 that is text": {"isBase64Encoded": "yes"},
}
FUNCTIONS = ["submit", "api", "feedback", "dispatch", "purge", "provision"]


def assert_problem(answer: Any, *statuses: int) -> None:
    """Hold an answer, or its body, to be a problem of the client's."""
    document = json.loads(answer["body"]) if "body" in answer else answer
    assert document["status"] in (statuses or range(400, 500))
    assert answer.get("statusCode", document["status"]) == document["status"]
    assert set(document) >= {"type", "title", "status", "detail"}
    assert len(json.dumps(answer)) < 10_000


@pytest.fixture
def calm(functions: Functions, connection: Connection) -> Iterator[Functions]:
    """The functions; nothing is stored in the end."""
    yield functions
    row = connection.execute("select count(*) from dovecote.notifications").fetchone()
    assert row == (0,)


def expected(name: str, event: Any) -> bool:
    """Return whether a function takes an event: these ask nothing of it but to be an object."""
    return name in ("dispatch", "purge", "provision") and (event is None or isinstance(event, dict))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("event", NOT_SQS.values(), ids=NOT_SQS)
def test_an_event_of_no_shape_is_a_problem(calm: Functions, name: str, event: Any) -> None:
    answer = calm.invoke(name, event)
    if expected(name, event):
        assert "status" not in answer
    else:
        assert_problem(answer)


@pytest.mark.parametrize("name", ["submit", "feedback"])
@pytest.mark.parametrize("event", MALFORMED_SQS.values(), ids=MALFORMED_SQS)
def test_messages_that_cannot_be_named_are_a_problem_and_stay_in_the_queue(
    calm: Functions, name: str, event: Any
) -> None:
    answer = calm.invoke(name, event)
    assert_problem(answer, 400)
    # Lambda's poller takes this for the failure of the whole batch, as the documentation has it.
    assert answer["batchItemFailures"] == [{"itemIdentifier": ""}]


@pytest.mark.parametrize("name", ["submit", "feedback"])
@pytest.mark.parametrize("message", MALFORMED_MESSAGES.values(), ids=MALFORMED_MESSAGES)
def test_a_malformed_message_is_named_and_the_others_are_taken(
    functions: Functions, connection: Connection, name: str, message: dict[str, Any]
) -> None:
    well = json.dumps(good("key") if name == "submit" else EVENTS[CHANNEL])
    records = [
        {"eventSource": "aws:sqs", "messageId": "bad", **message},
        {"eventSource": "aws:sqs", "messageId": "well", "body": well},
    ]
    answer = functions.invoke(name, {"Records": records})
    assert answer == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    row = connection.execute("select count(*) from dovecote.notifications").fetchone()
    assert row == (int(name == "submit"),)


@pytest.mark.parametrize("name", ["submit", "api"])
@pytest.mark.parametrize("members", MALFORMED_HTTP.values(), ids=MALFORMED_HTTP)
def test_a_malformed_request_is_a_problem(
    calm: Functions, name: str, members: dict[str, Any]
) -> None:
    route = "POST /notifications" if name == "submit" else "POST /dead-letters/redrive"
    answer = calm.invoke(name, {**HTTP, "routeKey": route, **members})
    assert_problem(answer)
    assert "statusCode" in answer


@pytest.mark.parametrize(
    "route",
    ["GET /nowhere", "", "GET /notifications/{notification_id}", "DELETE /users/{user_id}"],
)
def test_a_request_without_its_route_or_parameters_is_a_problem(
    calm: Functions, route: str
) -> None:
    for parameters in (None, {}, {"other": "x"}):
        answer = calm.invoke("api", {**HTTP, "routeKey": route, "pathParameters": parameters})
        assert_problem(answer, 400, 404)


@pytest.mark.parametrize("headers", [None, {}])
def test_headers_that_are_not_there_are_none(functions: Functions, headers: Any) -> None:
    event = http_event("POST", "/notifications", json.dumps(good("key")).encode())
    assert functions.invoke("submit", {**event, "headers": headers})["statusCode"] == 202


@pytest.mark.parametrize(
    "event", [{"source": 5}, {"source": None}, {"source": ["schedule"]}, {"source": {}}], ids=str
)
def test_a_source_that_is_no_text_begins_no_run(calm: Functions, event: Any) -> None:
    assert_problem(calm.invoke("dispatch", event), 400)


@pytest.mark.parametrize(
    "event",
    [
        {"users": None},
        {"users": []},
        {"users": {"Submit": 5}},
        {"RequestType": "Create"},
        {"RequestType": 5},
        {"RequestType": None, "ResponseURL": "https://example.com"},
        {"RequestType": "Create", "ResponseURL": 5},
        {"RequestType": "Drop", "ResponseURL": "https://e.com", "StackId": "s", "RequestId": "r",
         "LogicalResourceId": "l"},
        {"RequestType": "Delete", "ResponseURL": "file:///etc/passwd", "StackId": "s",
         "RequestId": "r", "LogicalResourceId": "l"},
    ],
    ids=str,
)  # fmt: skip
def test_a_malformed_provisioning_is_a_problem(calm: Functions, event: Any) -> None:
    assert_problem(calm.invoke("provision", event), 400)


# Problems stay small, whatever a client sends.


def unknown(count: int, length: int = 10) -> dict[str, int]:
    return {f"{CANARY}{n}{'x' * length}": 1 for n in range(count)}


LARGE: dict[str, dict[str, Any]] = {
    "40,000 unknown members": unknown(40_000),
    "one of half a megabyte": {"x" * 500_000: 1},
    "unknown members of recipients": {"recipients": [unknown(30)] * 1000},
    "a payload with unknown members": {"payload": unknown(1800)},
    "a payload with a long member": {"payload": {"x" * 60_000: 1}},
    "a long member of each recipient's data": {
        "recipients": [recipient(data={f"{n}{'x' * 900}": 1}) for n in range(1000)]
    },
    "recipients that are numbers": {"recipients": [5] * 1000},
    "recipients without an address": {"recipients": [{}] * 1000},
    "addresses that are none": {"recipients": [{"email": "x" * 900}] * 1000},
    "a kind of half a megabyte": {"kind": "x" * 500_000},
    "a key of half a megabyte": {"idempotency_key": "x" * 500_000},
    "control characters": {"payload": {"\x01" * 10_000: 1}, "\x02" * 10_000: 1},
    "quotation marks": {"payload": {'"' * 30_000: 1}, '"\\' * 100_000: 1},
    "characters beyond the first plane": {"\N{GRINNING FACE}" * 100_000: 1},
}


@pytest.mark.parametrize("members", LARGE.values(), ids=LARGE)
def test_a_problem_is_small(functions: Functions, members: dict[str, Any]) -> None:
    document = {**good("key"), **members}
    raw = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    event = http_event("POST", "/notifications", raw)
    answer = functions.invoke("submit", event)
    body = json.loads(answer["body"])
    assert answer["statusCode"] in (413, 422)
    assert len(json.dumps(answer).encode()) < 200_000
    errors = body.get("errors", [])
    assert len(errors) <= 100
    assert all(len(one["pointer"]) <= 256 and len(one["detail"]) <= 256 for one in errors)
    assert functions.invoke("submit", document)["status"] == answer["statusCode"]


def test_the_problems_of_a_batch_are_small_together(functions: Functions) -> None:
    one = {**good("key"), **unknown(100, 60)}
    batch = [one] * 100
    raw = json.dumps({"notifications": batch}, separators=(",", ":")).encode()
    assert len(raw) < 1024 * 1024
    answer = functions.invoke("submit", http_event("POST", "/notifications/batch", raw))
    results = json.loads(answer["body"])["results"]
    assert [result["status"] for result in results] == [422] * 100
    assert all(result["problem"]["errors"] for result in results)
    assert sum(len(result["problem"]["errors"]) for result in results) <= 600
    assert len(json.dumps(answer).encode()) < 1_000_000


# Logs of a problem have rules, and known names.

SECRETS: dict[str, dict[str, Any]] = {
    "a member of the body": {"hunter2": 1},
    "a member of a recipient": {"recipients": [recipient(hunter2=1)]},
    "a member of the payload": {"payload": {"https://e.com/reset?t=hunter2": 1}},
    "a value of the payload": {"payload": {**PAYLOAD, PATTERNED: ["hunter2"]}},
    "a value against a pattern": {"payload": {**PAYLOAD, PATTERNED: "hunter2!"}},
    "a member of data": {
        "recipients": [recipient(data={"https://e.com?t=hunter2": 1})]
    },
    "a value of data": {
        "recipients": [recipient(data={PATTERNED: "hunter2!"})]
    },
    "an address": {"recipients": [{"email": "hunter2"}]},
    "an id": {"recipients": [{"user_id": "hunter2\n"}]},
    "a locale": {"recipients": [recipient(locale="hunter2 x")]},
    "a time": {"deliver_at": "hunter2"},
    "a kind": {"kind": "hunter2"},
}  # fmt: skip


@pytest.mark.parametrize("members", SECRETS.values(), ids=SECRETS)
def test_a_log_line_has_no_word_of_a_message(
    functions: Functions, members: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    document = {**good("key"), **members}
    answer = functions.submit_messages(json.dumps(document))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    (line,) = [
        json.loads(line)
        for line in capsys.readouterr().out.splitlines()
        if '"message not stored"' in line
    ]
    assert line["errors"]
    assert "hunter2" not in json.dumps(line)


@pytest.mark.parametrize(
    ("members", "logged"),
    [
        ({"payload": {"hunter2": 1}}, "/payload: required"),
        ({"payload": PAYLOAD | {"hunter2": 1}}, "/payload: additionalProperties"),
        (
            {"payload": PAYLOAD | {BOUNDED: 99}},
            f"/payload/{BOUNDED}: maximum",
        ),
        ({"payload": PAYLOAD | {PATTERNED: "!x"}}, f"/payload/{PATTERNED}: pattern"),
        ({"hunter2": 1}, "/*: is not a known member"),
        ({"recipients": [{"hunter2": 1}]}, "/recipients/0/*: is not a known member"),
        (
            {"recipients": [recipient(data={PATTERNED: "!x"})]},
            f"/recipients/0/data/{PATTERNED}: pattern",
        ),
    ],
)  # fmt: skip
def test_a_log_line_names_the_rule_and_the_place(
    functions: Functions, members: dict[str, Any], logged: str, capsys: pytest.CaptureFixture[str]
) -> None:
    functions.submit_messages(json.dumps({**good("key"), **members}))
    assert (
        logged
        in json.loads(
            next(one for one in capsys.readouterr().out.splitlines() if "not stored" in one)
        )["errors"]
    )


def test_a_producer_is_told_its_own_member_and_value(functions: Functions) -> None:
    answer = functions.post({**good("key"), "payload": PAYLOAD | {"colour": 1}})
    assert "colour" in answer.body["errors"][0]["detail"]


def test_an_environment_is_all_that_these_tests_need(
    database_url: str, provider: Running, catalog_folder: Path
) -> None:
    """A malformed event is answered where the database is out of reach."""
    values = environment("postgresql://postgres@127.0.0.1:9/nowhere", provider.url, catalog_folder)
    with run_functions(values) as wired:
        for name in ("submit", "api", "feedback", "dispatch", "purge"):
            assert_problem(wired.invoke(name, [5]))
