"""Dispatch: whether its schedule is on, and whether it runs."""

import json
from datetime import timedelta
from typing import Any

import pytest

from operate.checks import dispatching
from tests.unit.operate.sites import NOON, StubbedAws, a_site, a_stack, lines

MINUTE = timedelta(minutes=1)
ASKED = {
    "logGroupName": "/aws/lambda/dovecote-dev-dispatch",
    "startTime": int((NOON - 3 * MINUTE).timestamp() * 1000),
    "filterPattern": '{ $.message = "dispatched" }',
}


def a_schedule(state: str) -> dict[str, Any]:
    return {"Name": "x", "State": state, "ScheduleExpression": "rate(1 minute)"}


def test_a_schedule_that_is_on_is_good(aws: StubbedAws) -> None:
    asked = {"Name": "dovecote-dev-dispatch", "GroupName": "default"}
    aws.answers("scheduler", "get_schedule", a_schedule("ENABLED"), asked)
    assert lines(dispatching.schedule(a_site(aws, stack=a_stack()))) == [
        "ok  the schedule dovecote-dev-dispatch is on: rate(1 minute)"
    ]


def test_a_schedule_that_is_off_means_that_nothing_is_tried_again(aws: StubbedAws) -> None:
    aws.answers("scheduler", "get_schedule", a_schedule("DISABLED"))
    (line,) = lines(dispatching.schedule(a_site(aws, stack=a_stack())))
    assert line.startswith("!!  the schedule dovecote-dev-dispatch is DISABLED")
    assert "set ScheduleState=ENABLED and make deploy ENV=dev" in line


def test_a_schedule_that_is_gone_is_said_to_be(aws: StubbedAws) -> None:
    aws.refuses("scheduler", "get_schedule", "ResourceNotFoundException")
    (line,) = lines(dispatching.schedule(a_site(aws, stack=a_stack())))
    assert line.startswith("!!  the schedule dovecote-dev-dispatch is gone — make deploy ENV=dev")


def a_run(seconds_ago: float, message: str | None = None, **tally: int) -> dict[str, Any]:
    line = {
        "level": "INFO",
        "location": "handler:13",
        "message": "dispatched",
        "timestamp": "2026-11-24 12:00:00,000+0000",
        "service": "dovecote-dev",
        "request_id": "r-1",
        **tally,
    }
    return {
        "timestamp": int((NOON - timedelta(seconds=seconds_ago)).timestamp() * 1000),
        "message": json.dumps(line) if message is None else message,
    }


def last_run(aws: StubbedAws, **parameters: str) -> str:
    (line,) = lines(dispatching.last_run(a_site(aws, stack=a_stack(), **parameters)))
    return line


def test_the_newest_run_of_every_page_is_told_with_its_tally(aws: StubbedAws) -> None:
    first = {"events": [a_run(70, claimed=1), a_run(130)], "nextToken": "t"}
    aws.answers("logs", "filter_log_events", first, ASKED)
    second = {"events": [a_run(12, claimed=3, published=2, retrying=1, dead_lettered=0)]}
    aws.answers("logs", "filter_log_events", second, {**ASKED, "nextToken": "t"})
    assert last_run(aws) == "ok  dispatch ran 12 s ago: 3 claimed, 2 published, 1 retrying"


def test_a_run_that_found_nothing_is_a_good_run(aws: StubbedAws) -> None:
    aws.answers("logs", "filter_log_events", {"events": [a_run(30, claimed=0)]})
    assert last_run(aws) == "ok  dispatch ran 30 s ago: nothing was due"


def test_a_line_that_cannot_be_read_is_a_run_all_the_same(aws: StubbedAws) -> None:
    aws.answers("logs", "filter_log_events", {"events": [a_run(30, "dispatched")]})
    assert last_run(aws) == "ok  dispatch ran 30 s ago: its log line is no JSON"


def measured(aws: StubbedAws, runs: list[float], errors: list[float]) -> None:
    results = [
        {"Id": "invocations", "Values": runs},
        {"Id": "errors", "Values": errors},
    ]
    aws.answers("cloudwatch", "get_metric_data", {"MetricDataResults": results})


@pytest.mark.parametrize(
    ("runs", "errors", "said"),
    [
        ([], [], "dispatch has not run in 15 minutes (metrics come some minutes late)"),
        ([1.0, 1.0, 1.0], [1.0, 0.0, 1.0], "dispatch failed in 2 of 3 runs in 15 minutes"),
        ([1.0, 1.0], [0.0], "dispatch ran 2 times in 15 minutes, and ended none of the last 3"),
    ],
)
def test_without_a_line_the_metrics_say_why(
    aws: StubbedAws, runs: list[float], errors: list[float], said: str
) -> None:
    aws.answers("logs", "filter_log_events", {"events": []}, ASKED)
    measured(aws, runs, errors)
    line = last_run(aws)
    assert line.startswith(f"!!  {said}")
    assert "aws logs tail /aws/lambda/dovecote-dev-dispatch --since 15m" in line


def test_where_the_tally_is_not_logged_the_metrics_have_to_do(aws: StubbedAws) -> None:
    measured(aws, [1.0, 1.0], [0.0])
    assert last_run(aws, LogLevel="WARNING") == (
        "ok  dispatch ran 2 times in 15 minutes, without an error by its metrics"
    )
