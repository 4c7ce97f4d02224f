"""A platform application is created, updated, and says nothing of its secrets."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from operate import ROOT
from operate.aws import Answer
from operate.channels.push import credentials as push_credentials
from operate.channels.push.application import Application, put
from operate.channels.push.credentials import Credentials, Given
from operate.cli import main as cli
from operate.cli import options
from operate.site import Site
from tests.unit.channels.push.keys import SECRETS, SIGNING_KEY, exported, p8, pem, service_account
from tests.unit.operate.sites import (
    ACCOUNT,
    APNS,
    FCM,
    REGION,
    TOPIC,
    StubbedAws,
    a_site,
    a_stack,
    lines,
)

CALLER = {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/ann", "UserId": "A"}
EVENTS = dict.fromkeys(("EventDeliveryFailure", "EventEndpointDeleted"), TOPIC)
IDS = ["--key-id", "ABCDE12345", "--team-id", "TEAM123456", "--bundle-id", "org.example.app"]


def token(folder: Path) -> Credentials:
    given = Given(
        key=p8(folder), key_id="ABCDE12345", team_id="TEAM123456", bundle_id="org.example.app"
    )
    read = push_credentials.read("apns", given)
    assert read is not None
    return read


def account(folder: Path) -> Credentials:
    read = push_credentials.read("fcm", Given(service_account=service_account(folder)))
    assert read is not None
    return read


def asked(
    platform: str = "apns", credentials: Credentials | None = None, name: str = "shop"
) -> Application:
    return Application(platform=platform, name=name, credentials=credentials)


# The calls, held against botocore's models.


def test_one_that_is_not_there_is_created(aws: StubbedAws, tmp_path: Path) -> None:
    credentials = token(tmp_path)
    aws.answers("sts", "get_caller_identity", CALLER)
    aws.refuses("sns", "set_platform_application_attributes", "NotFound")
    aws.answers(
        "sns",
        "create_platform_application",
        {"PlatformApplicationArn": APNS},
        {"Name": "shop", "Platform": "APNS", "Attributes": {**credentials.attributes, **EVENTS}},
    )
    site = a_site(aws, stack=a_stack(PushFeedbackTopicArn=TOPIC))
    assert lines(put(site, asked(credentials=credentials))) == [
        "ok  APNS application shop is created with the signing key",
        f"ok  it tells {TOPIC} of devices that are gone",
        f"ok  {APNS}: let parameter_overrides of samconfig.toml have this,"
        f' and make deploy ENV=dev\n      "PushApplicationArns={APNS}"',
    ]


def test_one_that_is_there_gets_new_credentials(aws: StubbedAws, tmp_path: Path) -> None:
    credentials = account(tmp_path)
    aws.answers("sts", "get_caller_identity", CALLER)
    aws.answers(
        "sns",
        "set_platform_application_attributes",
        {},
        {"PlatformApplicationArn": FCM, "Attributes": dict(credentials.attributes)},
    )
    site = a_site(aws, PushApplicationArns=f"{APNS},{FCM}")
    assert lines(put(site, asked("fcm", credentials))) == [
        "ok  GCM application shop is updated with the service account",
        "--  the stack has no topic for its events yet: after the next deployment run"
        " dovecote push-app --env dev --platform fcm --name shop",
        f"ok  {FCM} is among PushApplicationArns",
    ]


def test_without_credentials_only_its_topics_are_set(aws: StubbedAws) -> None:
    aws.answers("sts", "get_caller_identity", CALLER)
    aws.answers(
        "sns",
        "set_platform_application_attributes",
        {},
        {"PlatformApplicationArn": APNS, "Attributes": EVENTS},
    )
    site = a_site(aws, stack=a_stack(PushFeedbackTopicArn=TOPIC), PushApplicationArns=APNS)
    assert lines(put(site, asked()))[0] == "ok  APNS application shop is updated"


def test_without_credentials_none_is_created(aws: StubbedAws) -> None:
    aws.answers("sts", "get_caller_identity", CALLER)
    aws.refuses("sns", "set_platform_application_attributes", "NotFound")
    (line,) = lines(put(a_site(aws, stack=a_stack(PushFeedbackTopicArn=TOPIC)), asked()))
    assert line.startswith("!!  there is no APNS application shop yet — apns needs --key --key-id")


def test_without_credentials_and_topic_there_is_nothing_to_set(aws: StubbedAws) -> None:
    aws.answers("sts", "get_caller_identity", CALLER)
    (line,) = lines(put(a_site(aws), asked()))
    assert line.startswith("!!  there is nothing to set for APNS application shop — ")


def test_another_application_of_the_platform_gives_way(aws: StubbedAws, tmp_path: Path) -> None:
    aws.answers("sts", "get_caller_identity", CALLER)
    aws.answers("sns", "set_platform_application_attributes", {})
    sandbox = APNS.replace("/APNS/", "/APNS_SANDBOX/")
    site = a_site(aws, PushApplicationArns=f"{APNS}-old,{sandbox},{FCM}")
    *_, last = lines(put(site, asked(credentials=token(tmp_path))))
    assert last.endswith(f'"PushApplicationArns={sandbox},{FCM},{APNS}"')


# As SNS does it, as far as moto knows.


class Moto:
    """AWS as moto has it."""

    region = REGION

    def client(self, service: str) -> Any:
        make: Any = boto3.client
        return make(service, region_name=REGION)

    def send(self, method: str, url: str, body: bytes = b"") -> Answer:
        raise NotImplementedError(url)


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A site whose AWS is moto's, with a stack that has a topic."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    with mock_aws():
        yield a_site(Moto(), stack=a_stack(PushFeedbackTopicArn=TOPIC))


def attributes(site: Site, arn: str) -> dict[str, str]:
    said = site.client("sns").get_platform_application_attributes(PlatformApplicationArn=arn)
    return dict(said["Attributes"])


def test_the_same_command_again_changes_the_one_application(moto: Site, tmp_path: Path) -> None:
    first = lines(put(moto, asked(credentials=token(tmp_path))))
    assert first[0].startswith("ok  APNS application shop is created")
    certificate, key = exported(tmp_path)
    rotated = push_credentials.read("apns", Given(cert=certificate, key=key))
    second = lines(put(moto, asked(credentials=rotated)))
    assert second[0] == "ok  APNS application shop is updated with the certificate"
    listed = moto.client("sns").list_platform_applications()["PlatformApplications"]
    assert [row["PlatformApplicationArn"] for row in listed] == [APNS]
    said = attributes(moto, APNS)
    assert said["PlatformPrincipal"].startswith("-----BEGIN CERTIFICATE-----")
    assert said["EventDeliveryFailure"] == TOPIC


def test_sns_gets_the_key_with_its_line_breaks(moto: Site, tmp_path: Path) -> None:
    lines(put(moto, asked(credentials=token(tmp_path))))
    said = attributes(moto, APNS)
    assert said["PlatformCredential"] == pem("PRIVATE KEY", SIGNING_KEY)
    assert said["ApplePlatformTeamID"] == "TEAM123456"
    assert said["ApplePlatformBundleID"] == "org.example.app"


# The command.


def main(
    monkeypatch: pytest.MonkeyPatch, site: Site, capsys: pytest.CaptureFixture[str], *given: str
) -> tuple[int, str]:
    monkeypatch.setattr(options, "Site", lambda **_: site)
    code = cli.main(["push-app", "--env", "dev", *given])
    said = capsys.readouterr()
    assert said.err == ""
    assert not [secret for secret in SECRETS if secret in said.out]
    return code, said.out


@pytest.mark.parametrize("kind", ["token", "certificate", "service account"])
def test_no_secret_is_printed_where_all_is_well(
    moto: Site,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: str,
) -> None:
    certificate, key = exported(tmp_path)
    given = {
        "token": ["--platform", "apns", "--key", p8(tmp_path), *IDS],
        "certificate": ["--platform", "apns_sandbox", "--cert", certificate, "--key", key],
        "service account": ["--platform", "fcm", "--service-account", service_account(tmp_path)],
    }[kind]
    code, said = main(monkeypatch, moto, capsys, "--name", "shop", *given)
    assert code == 0
    assert "application shop is created" in said


def test_no_secret_is_printed_where_sns_repeats_it(
    aws: StubbedAws,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    aws.answers("sts", "get_caller_identity", CALLER)
    aws.refuses(
        "sns",
        "set_platform_application_attributes",
        "InvalidParameter",
        f"Invalid parameter: Attributes Reason: Platform credentials are invalid {SIGNING_KEY}",
    )
    given = ["--name", "shop", "--platform", "apns", "--key", p8(tmp_path), *IDS]
    code, said = main(monkeypatch, a_site(aws), capsys, *given)
    assert code == 1
    assert "Reason: Platform credentials are invalid …" in said
    assert said.rstrip().endswith("are key and ids of one account, and not revoked?")


def test_as_json_each_finding_has_its_state(
    moto: Site,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = ["--platform", "fcm", "--service-account", service_account(tmp_path), "--json"]
    code, said = main(monkeypatch, moto, capsys, "--name", "shop", *given)
    assert code == 0
    assert [found["state"] for found in json.loads(said)["findings"]] == ["ok"] * 3


def test_a_name_that_sns_would_refuse_is_refused_before(
    aws: StubbedAws,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = ["--name", "my shop", "--platform", "apns", "--key", p8(tmp_path), *IDS]
    code, said = main(monkeypatch, a_site(aws), capsys, *given)
    assert code == 1
    assert said.startswith("!!  --name: must be 1 to 256 letters")


def test_what_aws_does_not_allow_is_a_finding(
    aws: StubbedAws,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    aws.answers("sts", "get_caller_identity", CALLER)
    aws.refuses("sns", "set_platform_application_attributes", "AuthorizationError")
    given = ["--name", "shop", "--platform", "apns", "--key", p8(tmp_path), *IDS]
    code, said = main(monkeypatch, a_site(aws), capsys, *given)
    assert code == 1
    assert said.startswith("!!  not allowed: SetPlatformApplicationAttributes — allow")


def test_without_credentials_of_aws_it_is_no_traceback_and_no_secret(tmp_path: Path) -> None:
    config = tmp_path / "samconfig.toml"
    config.write_text('[default.deploy.parameters]\nstack_name = "d"\nregion = "eu-central-1"\n')
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "operate.cli", "push-app", "--config-file", str(config)),
            *("--platform", "fcm", "--name", "shop"),
            *("--service-account", service_account(tmp_path)),
        ],
        env={
            **kept,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "PYTHONPATH": f"{ROOT / 'layers' / 'dovecote'}{os.pathsep}{ROOT}",
        },
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ran.returncode, ran.stderr) == (1, "")
    assert ran.stdout.startswith("!!  there are no credentials: Unable to locate credentials")
    assert not [secret for secret in SECRETS if secret in ran.stdout]
