"""The doctor as a whole: the order, what is not looked at, and that nothing is a traceback."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from dovecote import channels
from operate import ROOT, doctor
from operate.aws import Answer
from operate.checks import pauses
from operate.cli.main import main
from operate.doctor import checks, examine
from operate.finding import Finding, ok, skipped, wrong
from operate.site import Check, Site
from tests.unit.operate.sites import StubbedAws, a_site, a_stack, lines

DEV = """\
[dev.deploy.parameters]
stack_name = "dovecote-dev"
region = "eu-central-1"
parameter_overrides = ["EmailIdentity=example.com"]
"""


def saying(finding: Finding) -> Callable[[Site], Iterator[Finding]]:
    return lambda _site: iter([finding])


def chain(first: Finding) -> list[Check]:
    """Return a check, a second one after it, a third after that, and a fourth on its own."""
    good = saying(ok("good"))
    return [
        Check(name="first", look=saying(first)),
        Check(name="second", look=good, after="first"),
        Check(name="third", look=good, after="second"),
        Check(name="fourth", look=good),
    ]


def test_every_check_names_one_that_is_made_before_it() -> None:
    before: set[str | None] = {None}
    for check in checks():
        assert check.after in before
        before.add(check.name)


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        # wrong, and the next ones can be made all the same
        (wrong("bad", "mend"), ["!!  bad — mend", "ok  good", "ok  good", "ok  good"]),
        # nothing to build on, be it wrong or only not there yet
        (wrong("bad", "mend", stops=True),
         ["!!  bad — mend", "ok  good", "--  not looked at: second, third"]),
        (skipped("not yet", stops=True),
         ["--  not yet", "ok  good", "--  not looked at: second, third"]),
    ],
)  # fmt: skip
def test_what_builds_on_a_check_that_stops_is_not_looked_at(
    finding: Finding, said: list[str]
) -> None:
    assert lines(examine(a_site(StubbedAws()), chain(finding))) == said


def test_what_aws_refuses_in_the_middle_of_a_check_is_a_finding(aws: StubbedAws) -> None:
    aws.refuses("sts", "get_caller_identity", "ExpiredToken")

    def look(site: Site) -> Iterator[Finding]:
        yield ok("so far")
        site.client("sts").get_caller_identity()

    first, second = examine(a_site(aws), [Check(name="who", look=look)])
    assert str(first) == "ok  so far"
    assert str(second).startswith("!!  who: the credentials have expired (ExpiredToken) — export")


def run(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command with no credentials but those given."""
    (tmp_path / "samconfig.toml").write_text(DEV)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nobody: Mapping[str, str] = {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONPATH": f"{ROOT / 'layers' / 'dovecote'}{os.pathsep}{ROOT}",
        "NO_PROXY": "127.0.0.1",
    }
    config = ["--config-file", str(tmp_path / "samconfig.toml")]
    return subprocess.run(
        [sys.executable, "-m", "operate.cli", "doctor", "--env", "dev", *config, *arguments],
        env={**kept, **nobody, **environment},
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_without_credentials_it_says_what_to_do(tmp_path: Path) -> None:
    ran = run(tmp_path)
    assert ran.returncode == 1
    assert ran.stderr == ""
    assert "ok  samconfig.toml: dev is the stack dovecote-dev in eu-central-1" in ran.stdout
    assert "!!  credentials: there are no credentials" in ran.stdout
    names = [check.name for check in checks()]
    left = names[names.index("RDS's authorities") :]
    assert f"--  not looked at: {', '.join(left)}\n" in ran.stdout
    assert "Traceback" not in ran.stdout


def test_an_endpoint_that_refuses_connections_is_a_finding(tmp_path: Path) -> None:
    with socket.socket() as taken:  # bound and not listening: nobody else gets it, all are refused
        taken.bind(("127.0.0.1", 0))
        ran = run(
            tmp_path,
            AWS_ENDPOINT_URL=f"http://127.0.0.1:{taken.getsockname()[1]}",
            AWS_ACCESS_KEY_ID="AKIAEXAMPLE",
            AWS_SECRET_ACCESS_KEY="example",
        )
    assert ran.returncode == 1
    assert ran.stderr == ""
    assert "!!  credentials: AWS cannot be reached: " in ran.stdout
    assert "Traceback" not in ran.stdout


def test_a_profile_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    ran = run(tmp_path, AWS_PROFILE="nobody")
    assert ran.returncode == 1
    assert ran.stderr == ""
    assert "!!  credentials: nobody is signed in: The config profile (nobody)" in ran.stdout


def test_an_event_without_a_send_is_a_misunderstanding(tmp_path: Path) -> None:
    ran = run(tmp_path, "--event", "events/both.json")
    assert ran.returncode == 2
    assert ran.stderr == "dovecote doctor: --event names what to send: add --send\n"


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ([ok("good"), skipped("not yet")], 0),
        ([ok("good"), wrong("bad", "mend"), ok("good")], 1),
    ],
)
def test_it_fails_where_something_is_wrong_and_not_where_it_was_not_looked_at(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    findings: list[Finding],
    code: int,
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda *_: iter(findings))
    assert main(["doctor", "--env", "dev"]) == code
    assert capsys.readouterr().out.splitlines() == lines(findings)
    assert main(["doctor", "--env", "dev", "--json"]) == code
    found = json.loads(capsys.readouterr().out)["findings"]
    assert [one["text"] for one in found] == [finding.text for finding in findings]
    assert {one["state"]: one["remedy"] for one in found} == {
        finding.mark.name.lower(): finding.remedy or None for finding in findings
    }


@pytest.mark.parametrize("names", [(), ("email",), ("push",), ("email", "push"), ("push", "sms")])
def test_the_checks_of_channels_are_those_of_the_registry(
    names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {
        "email": {"SES's account", "SES's identity", "SES's events"},
        "push": {"push applications"},
    }
    registered = channels.NAMES
    monkeypatch.setattr(channels, "NAMES", names)
    made = {check.name for check in checks()}
    for name, checked in own.items():
        if name not in registered:
            continue
        assert checked & made == (checked if name in names else set())
    assert {"credentials", "the stack", "pauses", "alarms"} <= made


def test_what_a_policy_denies_on_a_channel_without_tools_has_a_remedy(aws: StubbedAws) -> None:
    pause = {
        "resource": "sms",
        "channel": "sms",
        "in_a_row": 1,
        "error": "AccessDenied (403)",
        "waiting": 0,
        "oldest_waiting_seconds": 0.0,
    }
    aws.pages = [Answer(status=200, body=json.dumps({"paused": [pause]}).encode())]
    (line,) = lines(pauses.paused(a_site(aws, stack=a_stack())))
    assert line.endswith("— allow the send in the stack's DeliveryPolicy")
