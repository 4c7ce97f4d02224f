"""Dispatch: whether its schedule is on, and whether it runs."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from operate import trouble
from operate.finding import Finding, ok, wrong
from operate.site import Site

# A run takes up to 90 s, and one starts each minute.
RECENT = timedelta(minutes=3)
# Metrics come some minutes late.
MEASURED = timedelta(minutes=15)
DISPATCHED = '{ $.message = "dispatched" }'
# Of a log line: what every one has, and what only says which run it was.
NO_TALLY = {
    "level", "location", "timestamp", "message", "service", "request_id", "trace_id",
    "xray_trace_id",
}  # fmt: skip


def schedule(site: Site) -> Iterator[Finding]:
    """Look at whether the schedule is on."""
    name = site.output("ScheduleName") or f"{site.section.stack_name}-dispatch"
    ask = site.client("scheduler").get_schedule
    said = trouble.unless_missing(ask, Name=name, GroupName="default")
    if said is None:
        yield wrong(f"the schedule {name} is gone", f"{site.deploy}, or deploy under another name")
    elif said["State"] == "ENABLED":
        yield ok(f"the schedule {name} is on: {said['ScheduleExpression']}")
    else:
        yield wrong(
            f"the schedule {name} is {said['State']}: nothing is tried a second time",
            f"set ScheduleState=ENABLED and {site.deploy}, or console EventBridge, Schedules",
        )


def last_run(site: Site) -> Iterator[Finding]:
    """Look for a run of dispatch that ended in the last minutes.

    By its log line, which is there within seconds and holds the tally; CloudWatch's metrics come
    minutes late, and only say why there is no line.
    """
    line = None if site.is_quiet else _newest(site)
    if line is not None:
        yield ok(f"dispatch ran {_ago(site, line)}: {_tally(line)}")
    else:
        yield _measured(site)


def _newest(site: Site) -> Mapping[str, Any] | None:
    events = site.logged("Dispatch", site.clock.now() - RECENT, DISPATCHED)
    return max(events, key=lambda event: int(event["timestamp"]), default=None)


def _measured(site: Site) -> Finding:
    runs, errors = _sums(site, site.function("Dispatch"))
    minutes, logs = int(MEASURED.total_seconds() // 60), site.logs("Dispatch")
    if not runs:
        return wrong(
            f"dispatch has not run in {minutes} minutes (metrics come some minutes late)",
            f"after a first deploy wait for them; else look at the schedule, and at {logs}",
        )
    if errors:
        return wrong(f"dispatch failed in {errors} of {runs} runs in {minutes} minutes", logs)
    if site.is_quiet:
        return ok(
            f"dispatch ran {runs} times in {minutes} minutes, without an error by its metrics"
        )
    return wrong(
        f"dispatch ran {runs} times in {minutes} minutes, and ended none of the last"
        f" {int(RECENT.total_seconds() // 60)} minutes with its tally",
        logs,
    )


def _sums(site: Site, name: str) -> tuple[int, int]:
    """Return how often a function ran of late, and how often it failed."""
    now = site.clock.now()
    results = site.client("cloudwatch").get_metric_data(
        MetricDataQueries=[_query(name, metric) for metric in ("Invocations", "Errors")],
        StartTime=now - MEASURED,
        EndTime=now,
    )["MetricDataResults"]
    sums = {result["Id"]: int(sum(result["Values"])) for result in results}
    return sums.get("invocations", 0), sums.get("errors", 0)


def _query(name: str, metric: str) -> dict[str, Any]:
    return {
        "Id": metric.lower(),
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/Lambda",
                "MetricName": metric,
                "Dimensions": [{"Name": "FunctionName", "Value": name}],
            },
            "Period": 60,
            "Stat": "Sum",
        },
    }


def _ago(site: Site, event: Mapping[str, Any]) -> str:
    seconds = site.clock.now().timestamp() - event["timestamp"] / 1000
    return f"{max(0, seconds):.0f} s ago"


def _tally(event: Mapping[str, Any]) -> str:
    """Return the numbers of a run that are not 0."""
    try:
        line = json.loads(event["message"])
    except ValueError:
        return "its log line is no JSON"
    counts = {name: value for name, value in line.items() if name not in NO_TALLY and value}
    return ", ".join(f"{value} {name}" for name, value in counts.items()) or "nothing was due"
