"""A first send, followed to the event it causes."""

import json
from datetime import timedelta
from typing import Any

import pytest

from operate import ROOT
from operate.aws import Answer
from operate.checks import first_send
from tests.unit.operate.sites import NOON, OUTPUTS, StubbedAws, a_site, a_stack, lines, payload

EVENT = ROOT / "events" / "email.json"
ADDRESS = "success@simulator.amazonses.com"
ID = "0192f6a0-0000-4000-8000-000000000001"
ROUTE = "0192f6a0-0000-4000-8000-000000000002"
LOG = {
    "logGroupName": "/aws/lambda/dovecote-dev-feedback",
    "startTime": int((NOON - timedelta(seconds=60)).timestamp() * 1000),
    "filterPattern": f'"feedback recorded" "{ROUTE}"',
}
LINE = {"events": [{"message": "feedback recorded"}]}


def submitted(aws: StubbedAws, document: Any, **more: Any) -> None:
    answer = {"StatusCode": 200, "Payload": payload(document), **more}
    aws.answers("lambda", "invoke", answer)


def told(*statuses: str, address: str | None = ADDRESS, error: str | None = None) -> Answer:
    routes = [
        {
            "route_id": ROUTE,
            "channel": "email",
            "address": address,
            "status": status,
            "last_error": error,
        }
        for status in statuses
    ]
    return Answer(status=200, body=json.dumps({"routes": routes}).encode())


def sent(aws: StubbedAws, *pages: Answer, **parameters: str) -> list[str]:
    aws.pages = list(pages)
    site = a_site(aws, stack=a_stack(), **{"EmailFeedback": "on", **parameters})
    return lines(first_send.first_send(site, EVENT))


def test_unless_it_is_asked_for_nothing_is_sent(aws: StubbedAws) -> None:
    (line,) = lines(first_send.first_send(a_site(aws, stack=a_stack()), None))
    assert line.startswith("--  not sent: dovecote doctor --env dev --send sends events/email.json")


def test_a_send_is_followed_from_submit_to_the_event_of_ses(aws: StubbedAws) -> None:
    submitted(aws, {"notification_id": ID})
    aws.answers("logs", "filter_log_events", {"events": []}, LOG)
    aws.answers("logs", "filter_log_events", LINE, LOG)
    assert sent(aws, told("pending"), told("published")) == [
        f"ok  first send: stored as notification {ID} (0.0 s)",
        f"ok  first send: email route {ROUTE} is published (2.0 s)",
        f"ok  first send: SES's event of route {ROUTE} was taken (2.0 s)",
    ]
    assert aws.asked == [f"{OUTPUTS['ApiUrl']}/notifications/{ID}"] * 2


def test_submit_is_invoked_by_its_alias_with_the_body_and_a_new_key(aws: StubbedAws) -> None:
    submitted(aws, {"notification_id": ID})
    seen: list[dict[str, Any]] = []
    client = aws.client("lambda")
    client.meta.events.register(
        "provide-client-params.lambda.Invoke", lambda params, **_: seen.append(params)
    )
    sent(aws, told("published"), EmailFeedback="off")
    (call,) = seen
    assert call["FunctionName"] == OUTPUTS["SubmitFunctionName"]
    body = json.loads(call["Payload"])
    assert body["kind"] == "account.password_reset"
    assert body["idempotency_key"].startswith("doctor-")


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"EmailFeedback": "off"}, "EmailFeedback is off"),
        ({"LogLevel": "WARNING"}, "LogLevel is WARNING"),
    ],
)
def test_an_event_that_would_leave_no_line_is_not_waited_for(
    aws: StubbedAws, parameters: dict[str, str], why: str
) -> None:
    submitted(aws, {"notification_id": ID})
    *_, last = sent(aws, told("published"), **parameters)
    assert last == f"--  first send: no event of SES's is waited for, {why}"


@pytest.mark.parametrize(
    ("status", "error", "remedy"),
    [
        ("dead_lettered", "MessageRejected: Email address is not verified", "aws logs tail"),
        ("skipped", "not allowed here", "let EmailAllow have @simulator.amazonses.com"),
        ("cancelled", None, "aws logs tail /aws/lambda/dovecote-dev-dispatch"),
    ],
)
def test_a_route_that_ends_otherwise_says_why(
    aws: StubbedAws, status: str, error: str | None, remedy: str
) -> None:
    submitted(aws, {"notification_id": ID})
    _, line, *_ = sent(aws, told(status, error=error))
    said = f": {error}" if error else ""
    assert line.startswith(f"!!  first send: email route {ROUTE} is {status}{said} (0.0 s) — ")
    assert remedy in line


def test_a_route_that_does_not_end_in_two_minutes_says_what_it_says(aws: StubbedAws) -> None:
    submitted(aws, {"notification_id": ID})
    _, line = sent(aws, told("retrying", error="Throttling"))
    assert line.startswith(
        f"!!  first send: no end after 120 s: email route {ROUTE} is retrying: Throttling — "
    )


def test_an_event_that_does_not_come_in_time_is_missed(aws: StubbedAws) -> None:
    submitted(aws, {"notification_id": ID})
    for _ in range(61):
        aws.answers("logs", "filter_log_events", {"events": []}, LOG)
    *_, line = sent(aws, told("published"))
    assert line.startswith(f"!!  first send: no event of SES's for route {ROUTE} came in 120.0 s")
    assert "aws logs tail /aws/lambda/dovecote-dev-feedback" in line


@pytest.mark.parametrize(
    ("document", "more", "said"),
    [
        ({"status": 422, "detail": "No.", "errors": [{"pointer": "/kind", "detail": "unknown"}]},
         {}, "submit refused it: 422 No.; /kind unknown"),
        ({"status": 503, "detail": "The database is out of reach; retry later."}, {},
         "submit refused it: 503 The database is out of reach"),
        (None, {}, "submit's answer is no document"),
        ({"errorType": "BadSettings", "errorMessage": "EMAIL_FROM: no"},
         {"FunctionError": "Unhandled"}, "submit failed: EMAIL_FROM: no"),
        ({}, {"FunctionError": "Unhandled"}, "submit failed: Unhandled"),
    ],
)  # fmt: skip
def test_what_submit_refuses_ends_it(
    aws: StubbedAws, document: Any, more: dict[str, str], said: str
) -> None:
    submitted(aws, document, **more)
    (line,) = sent(aws, told())
    assert line.startswith(f"!!  first send: {said}")


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (Answer(status=403, body=b""), "the API refuses these credentials (403) — allow"),
        (Answer(status=500, body=b""), "the API answered 500 — aws logs tail"
         " /aws/lambda/dovecote-dev-api"),
        (told("published", address=None), "its kind sends nothing to an address"),
    ],
)  # fmt: skip
def test_what_the_api_does_not_tell_ends_it(aws: StubbedAws, page: Answer, said: str) -> None:
    submitted(aws, {"notification_id": ID})
    stored, line = sent(aws, page)
    assert stored.startswith("ok")
    assert line.startswith(f"!!  first send: {said}")
