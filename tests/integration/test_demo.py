"""The demo, as a newcomer runs it, and that it leaves out no event."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import yaml

from tests.functions import ROOT, Functions

EVENTS = sorted(path.name for path in (ROOT / "events").glob("*.json"))
SCRIPT = yaml.safe_load((ROOT / "events" / "demo.yaml").read_text())


@pytest.mark.channels("email", "push")
def test_the_demo_ends_well_and_shows_each_end_of_a_route() -> None:
    path = os.pathsep.join((str(ROOT / "layers" / "dovecote"), str(ROOT)))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "HOME": os.environ["HOME"]}
    demo = subprocess.run(
        [sys.executable, "-m", "local.demo"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "The provider's ledger and the database agree to the row." in demo.stdout
    ids = re.findall(r"POST /notifications .* ([0-9a-f]{8}): ", demo.stdout)
    assert len(ids) == len(set(ids)) > 5


@pytest.mark.channels("email", "push")
def test_no_password_is_printed_or_stands_on_a_command_line(tmp_path: Path) -> None:
    path = os.pathsep.join((str(ROOT / "layers" / "dovecote"), str(ROOT)))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "HOME": os.environ["HOME"]}
    secrets, lines = set[str](), set[str]()
    with subprocess.Popen(
        [sys.executable, "-m", "local.demo"],
        cwd=ROOT,
        env={**environment, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as demo:
        assert demo.stdout is not None
        printed = []
        for line in demo.stdout:  # as the demo goes on
            printed.append(line)
            for file in tmp_path.glob("dovecote-demo-*/postgres/pgpass"):
                secrets |= {one.rpartition(":")[2] for one in file.read_text().splitlines()}
            for process in psutil.process_iter(["cmdline"]):
                lines.update(process.info["cmdline"] or ())
    assert demo.wait() == 0, printed
    assert len(secrets) > 1
    seen = [*printed, *lines]
    assert any("passfile=" in line for line in printed)
    assert [text for text in seen if any(secret in text for secret in secrets)] == []


def test_every_event_of_the_api_is_sent_by_the_demo() -> None:
    others = {"schedule.json", "feedback.json", "queue.json"}  # the schedule's, SES's and SQS's
    assert {entry["event"] for entry in SCRIPT} | others == set(EVENTS)


@pytest.mark.channels("email", "push")
@pytest.mark.parametrize("name", [entry["event"] for entry in SCRIPT if entry["expect"] == 422])
def test_a_bad_event_is_refused(functions: Functions, name: str) -> None:
    event = json.loads((ROOT / "events" / name).read_text())
    assert functions.post(event["body"].encode(), event["headers"]).status == 422


@pytest.mark.channels("email", "push")
def test_the_batch_s_event_is_answered_as_it_says(functions: Functions) -> None:
    event = json.loads((ROOT / "events" / "batch.json").read_text())
    answer = functions.post_batch(event["body"].encode(), event["headers"])
    assert [result["status"] for result in answer.body["results"]] == [202, 422, 202, 202]
    assert answer.body["results"][3]["replayed"] is True


@pytest.mark.channels("email", "push")
def test_the_queue_s_event_is_stored(functions: Functions) -> None:
    event = json.loads((ROOT / "events" / "queue.json").read_text())
    assert functions.invoke_submit(event) == {"batchItemFailures": []}
    (record,) = event["Records"]
    assert functions.post(record["body"].encode()).headers["idempotent-replayed"] == "true"


def test_the_schedules_event_dispatches(functions: Functions) -> None:
    event = json.loads((ROOT / "events" / "schedule.json").read_text())
    assert functions.dispatch(event)["claimed"] == 0
