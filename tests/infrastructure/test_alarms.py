"""What calls somebody, and what they then look at."""

import json
import re
from typing import Any

import pytest

from dovecote.aws.measurements import OF_CHANNEL
from dovecote.core.inbox import InboxGauges
from dovecote.dispatch.dispatch import TALLY
from dovecote.operations.gauges import Gauges
from dovecote.submit.expand import Expansion
from tests.infrastructure.reading import STACK, present, resolver, resources
from tests.infrastructure.transform import ROOT
from tests.infrastructure.whole import nested

ALARMS = resources("AWS::CloudWatch::Alarm")
EMITTED = {
    ("service",): {
        *TALLY,
        *Gauges.__struct_fields__,
        *InboxGauges.__struct_fields__,
        *(f"submissions_{name}" for name in Expansion.__struct_fields__),
    }
    - {"paused_channels"},
    ("channel", "service"): set(OF_CHANNEL),
}
"""The names of our metrics, by their dimensions."""
SEARCH = re.compile(
    r"SEARCH\('\{(?P<schema>[\w,]+)\} "
    r'MetricName="(?P<name>\w+)" service="(?P<service>[\w-]+)"'
    r"', '\w+', \d+\)"
)
OPERATE = (ROOT / "docs" / "operate.md").read_text()
EMAIL = {"EmailIdentity": "example.com"}


def dashboard() -> dict[str, Any]:
    """Return the dashboard as CloudWatch gets it."""
    template = nested("Dashboard")
    body = template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    given = {
        "AWS::Region": "us-east-1",
        "ApiId": "api",
        "Cluster": "cluster",
        "OldestDueSeconds": "900",
        "Stack": STACK,
    }
    text = re.sub(r"\$\{([^}!]+)\}", lambda match: given[match[1]], body).replace("${!", "${")
    document: dict[str, Any] = json.loads(text)
    return document


def searched() -> list[re.Match[str]]:
    """Return the searches of the dashboard, which find one metric for each channel."""
    expressions = [
        metric[0]["expression"]
        for widget in dashboard()["widgets"]
        for metric in widget["properties"].get("metrics", [])
        if isinstance(metric[0], dict)
    ]
    found = [SEARCH.fullmatch(one) for one in expressions if one.startswith("SEARCH")]
    assert all(found)
    return [one for one in found if one is not None]


def shown() -> set[tuple[str, str]]:
    """Return the metrics on the dashboard, by namespace and name."""
    found = {(one["schema"].partition(",")[0], one["name"]) for one in searched()}
    for widget in dashboard()["widgets"]:
        row: list[Any] = []
        for metric in widget["properties"].get("metrics", []):
            if isinstance(metric[0], dict):
                continue
            # "." is what stands above, "..." all that does.
            head = row[:2] if metric[0] == "..." else metric[:2]
            row = [
                above if one == "." else one for one, above in zip(head, row or head, strict=True)
            ]
            found.add((row[0], row[1]))
    return found


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_calls_when_it_rings_and_when_it_is_over(name: str) -> None:
    alarm = ALARMS[name]
    topic = [{"Ref": "AlarmTopic"}]
    assert (alarm["AlarmActions"], alarm["OKActions"]) == (topic, topic)
    assert alarm["AlarmDescription"]
    assert "TreatMissingData" in alarm


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_is_explained(name: str) -> None:
    slug = ALARMS[name]["AlarmName"]["Fn::Sub"].removeprefix("${AWS::StackName}-")
    assert re.search(rf"^#+ .*`{slug}`", OPERATE, re.M), f"docs/operate.md has no {slug}"


def test_every_part_of_the_service_has_an_alarm() -> None:
    there = {name.removesuffix("Alarm") for name in present(**EMAIL) & ALARMS.keys()}
    assert there == {
        "OldestDue",
        "DeadLetters",
        "SubmitErrors",
        "DispatchErrors",
        "ApiErrors",
        "FeedbackErrors",
        "PurgeErrors",
        "Throttles",
        "ApiFailures",
        "ScheduleDeadLetters",
        "FailedInvocations",
        "SubmitWaits",
        "SubmitDeadLetters",
        "ExpansionLag",
        "RefusedSubmissions",
        "FeedbackDeadLetters",
        "BounceRate",
        "ComplaintRate",
        "Capacity",
        "Connections",
    }


@pytest.mark.parametrize("name", ["OldestDueAlarm", "ExpansionLagAlarm"])
def test_silence_of_a_scheduled_run_is_an_alarm_of_its_own_stack(name: str) -> None:
    alarm = ALARMS[name]
    assert alarm["TreatMissingData"] == "breaching"
    given = resolver(AlarmOldestDueSeconds=600).value(alarm)
    assert given["Threshold"] == "600"
    # Several minutes: a run that is a little late does not wake anybody.
    assert given["Period"] * given["EvaluationPeriods"] == 300
    assert given["Dimensions"] == [{"Name": "service", "Value": STACK}]


def test_what_waits_behind_a_pause_has_an_alarm_and_is_on_the_dashboard() -> None:
    watched = {alarm["MetricName"] for alarm in ALARMS.values()}
    # It counts routes behind any pause since they were first due: test_refusals holds it to that.
    assert "oldest_due_seconds" in watched
    own = {name for namespace, name in shown() if namespace == "Dovecote"}
    assert {"waiting_routes", "paused_resources"} <= own
    section = OPERATE.partition("## `oldest-due`")[2].partition("\n## ")[0]
    assert "behind a pause" in section


@pytest.mark.parametrize(
    ("name", "threshold", "stops_at"),
    [("BounceRate", 0.04, 0.05), ("ComplaintRate", 0.0008, 0.001)],
)
def test_reputation_rings_before_ses_reviews(name: str, threshold: float, stops_at: float) -> None:
    alarm = ALARMS[f"{name}Alarm"]
    assert alarm["Threshold"] == threshold < stops_at
    assert "Dimensions" not in alarm  # it is the account's


def test_the_metrics_of_alarms_are_emitted_with_their_dimensions() -> None:
    own = [one for one in ALARMS.values() if one["Namespace"] == "Dovecote"]
    assert own
    for alarm in own:
        dimensions = tuple(sorted(one["Name"] for one in alarm["Dimensions"]))
        assert alarm["MetricName"] in EMITTED[dimensions]


def test_the_metrics_of_the_dashboard_are_emitted() -> None:
    by_channel = {one["name"] for one in searched()}
    assert by_channel
    assert by_channel <= EMITTED["channel", "service"]
    whole = {name for namespace, name in shown() if namespace == "Dovecote"} - by_channel
    assert whole
    assert whole <= EMITTED["service",]


def test_the_dashboard_shows_the_metrics_of_every_channel_without_a_list_of_channels() -> None:
    for one in searched():
        assert one["schema"] == "Dovecote,channel,service"
        assert one["service"] == STACK
    labels = re.findall(r"\$\{PROP\('Dim\.channel'\)\}", json.dumps(dashboard()))
    assert len(labels) == len(searched())
    assert {"paused", "delivered", "failed", "permanent", "ambiguous", "throttled"} <= {
        one["name"] for one in searched()
    }


def test_the_dashboard_shows_what_alarms_look_at() -> None:
    watched = {(one["Namespace"], one["MetricName"]) for one in ALARMS.values()}
    assert watched - {("AWS/Lambda", "Throttles")} <= shown()


def test_the_widgets_of_the_dashboard_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for widget in dashboard()["widgets"]:
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
