"""`sam deploy` of the template into an emulator of AWS, and what it does there by itself.

The emulator does not read the OpenAPI body that SAM makes of the routes, so the functions are
invoked directly, with the event that the HTTP API would give them.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dovecote.store.schema.migrate import known
from local.sam import docker
from local.sam.event import Document, read_event
from operate import ROOT, samconfig
from tests.aws import cluster, emulator
from tests.aws.certificates import Authority
from tests.aws.cluster import Cluster
from tests.aws.conftest import body_of
from tests.aws.emulator import Emulator
from tests.aws.stack import Stack, built_with

# The first deployment and the first container of each function come with the first test.
pytestmark = [pytest.mark.timeout(300), pytest.mark.channels("email", "push")]

DOMAIN = "example.com"
# The stack, and the configuration set that it makes.
NAME = "dovecote"
# A minute of the schedule's, ten seconds of the emulator's between two looks at it, and the start
# of a container.
SCHEDULE_SECONDS = 120
# The queue's window, and the start of a container.
EVENT_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """The stack as it was deployed first."""

    stack: Stack
    cluster: Cluster
    parameters: Mapping[str, object]
    status: str

    def submit(self, document: Document) -> tuple[Document, Any]:
        """Submit as the HTTP API would; return the answer and its body."""
        answer = self.stack.invoke("SubmitFunctionName", document)
        return answer, body_of(answer)

    def statuses(self, notification_id: str) -> set[str]:
        """Return the statuses of a notification's routes."""
        statement = "select status from dovecote.notification_routes where notification_id = %s"
        return {status for (status,) in self.rows(statement, notification_id)}

    def wait_until_published(self, notification_id: str) -> None:
        """Wait for the schedule to send what submit left: a sandbox sends one email a second."""
        deadline = time.monotonic() + SCHEDULE_SECONDS
        while self.statuses(notification_id) == {"pending"}:
            assert time.monotonic() < deadline, "the schedule did not fire"
            time.sleep(1)
        assert self.statuses(notification_id) == {"published"}

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Read the database."""
        with psycopg.connect(self.cluster.url) as connection:
            return connection.execute(statement, parameters).fetchall()

    def told(self, event: Document) -> None:
        """Put an event where the rule puts SES's; nobody else may give one to the bus as SES."""
        client = self.stack.emulator.client("sqs")
        queue = client.get_queue_url(QueueName=f"{NAME}-feedback")["QueueUrl"]
        client.send_message(QueueUrl=queue, MessageBody=json.dumps(event))

    def subjects(self, address: str) -> list[str]:
        """Return the subjects of the mails to an address."""
        return [mail["Subject"] for mail in self.stack.emulator.mails() if mail["To"] == [address]]


@pytest.fixture(scope="module")
def deployed(
    built: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    """A stack on a database of one's own, in no VPC."""
    subprocess.run(["make", ".venv-emulator/.emulator"], cwd=ROOT, check=True)  # noqa: S607
    directory = tmp_path_factory.mktemp("deploy")
    bridge, authority = docker.bridge(), Authority()
    with (
        emulator.running(directory, bridge) as aws,
        cluster.running(directory / "cluster", bridge, authority, aws) as database,
    ):
        yield _deployed(directory, authority, aws, database)


def _deployed(directory: Path, authority: Authority, aws: Emulator, database: Cluster) -> Deployed:
    parameters = {
        "DbHost": database.host,
        "DbPort": database.port,
        "DbName": database.name,
        "DbUser": database.user,
        "DbResourceId": database.resource_id,
        "EmailIdentity": DOMAIN,
        "EmailFrom": f"dovecote@{DOMAIN}",
    }
    # A container's first call spends seconds of the budget on imports.
    build = built_with(authority, {"INLINE_BUDGET_SECONDS": 8}, directory)
    stack = Stack(name=NAME, build=build, emulator=aws)
    status = stack.deploy(parameters)
    return Deployed(stack=stack, cluster=database, parameters=parameters, status=status)


def posted(address: str, key: str, **more: object) -> Document:
    """Return events/email.json with another recipient, another key, and more in its body."""
    document = read_event("email").document
    body = {**body_of(document), "recipients": [{"email": address, "data": {"first_name": "Ann"}}]}
    headers = {**document["headers"], "idempotency-key": key}
    return {**document, "headers": headers, "body": json.dumps({**body, **more})}


def rejected(route_id: str, claim: int, message_id: str) -> Document:
    """Return the event of an email that SES took and then did not send."""
    tags = {
        "ses:configuration-set": [NAME],
        "route_id": [route_id],
        "claim": [str(claim)],
    }
    return {
        "source": "aws.ses",
        "detail-type": "Email Rejected",
        "detail": {
            "eventType": "Reject",
            "mail": {"messageId": message_id, "tags": tags},
            "reject": {"reason": "Bad content"},
        },
    }


def test_the_stack_completes(deployed: Deployed) -> None:
    assert deployed.status == "CREATE_COMPLETE"


def test_provision_ran_the_migrations(deployed: Deployed) -> None:
    applied = deployed.rows("select name from dovecote.schema_migrations order by version")
    assert applied == [(migration.name,) for migration in known()]


def test_a_submitted_notification_is_published_and_mailed_once(deployed: Deployed) -> None:
    answer, body = deployed.submit(read_event("email").document)
    assert answer["statusCode"] == 202
    assert [route["status"] for route in body["routes"]] == ["published"]
    assert deployed.statuses(body["notification_id"]) == {"published"}
    assert deployed.subjects("success+ann@simulator.amazonses.com") == ["Reset your password"]


def test_the_schedule_delivers_what_is_due_by_itself(deployed: Deployed) -> None:
    due = datetime.now(UTC) + timedelta(seconds=5)
    address = "success+later@simulator.amazonses.com"
    _, body = deployed.submit(posted(address, "later", deliver_at=due.isoformat()))
    assert [route["status"] for route in body["routes"]] == ["pending"]

    deployed.wait_until_published(body["notification_id"])
    assert deployed.subjects(address) == ["Reset your password"]


def test_an_event_of_ses_reaches_its_route_by_queue_and_function(deployed: Deployed) -> None:
    _, body = deployed.submit(posted("success+bad@simulator.amazonses.com", "bad"))
    (route,) = body["routes"]
    deployed.wait_until_published(body["notification_id"])
    (found,) = deployed.rows(
        "select claims, provider_message_id from dovecote.notification_routes where route_id = %s",
        route["route_id"],
    )
    deployed.told(rejected(route["route_id"], *found))

    deadline = time.monotonic() + EVENT_SECONDS
    while deployed.statuses(body["notification_id"]) == {"published"}:
        assert time.monotonic() < deadline, "the event did not arrive"
        time.sleep(0.5)
    assert deployed.statuses(body["notification_id"]) == {"dead_lettered"}


def test_the_doctor_finds_what_was_deployed(deployed: Deployed, tmp_path: Path) -> None:
    config = tmp_path / "samconfig.toml"
    overrides = [f"{name}={value}" for name, value in deployed.parameters.items()]
    config.write_text(
        f'[emulator.deploy.parameters]\nstack_name = "{deployed.stack.name}"\n'
        f'region = "us-east-1"\nparameter_overrides = {json.dumps(overrides)}\n'
    )
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "operate.cli", "doctor"),
            *("--env", "emulator", "--config-file", str(config)),
        ],
        capture_output=True,
        check=False,
        cwd=ROOT,
        env={**deployed.stack.emulator.environment, "PYTHONPATH": "layers/dovecote:."},
        text=True,
        timeout=60,
    )
    found = ran.stdout.splitlines()
    newest = known()[-1].version
    assert f"ok  the schema is version {newest}, this checkout's" in found
    assert f"ok  the schedule {deployed.stack.name}-dispatch is on: rate(1 minute)" in found
    assert [line for line in found if line.startswith("ok  dispatch ran ")]
    assert not ran.stderr


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_an_update_to_an_environment_of_samconfig_toml_keeps_what_was_stored(
    deployed: Deployed, environment: str
) -> None:
    address = f"success+{environment}@simulator.amazonses.com"
    _, first = deployed.submit(posted(address, environment))
    deployed.wait_until_published(first["notification_id"])
    _, before = deployed.submit(posted(address, environment))

    level = "DEBUG" if environment == "dev" else "WARNING"
    given = samconfig.read(ROOT / "samconfig.toml", environment).parameters
    changed = {**given, **deployed.parameters, "LogLevel": level}
    assert deployed.stack.deploy(changed) == "UPDATE_COMPLETE"
    assert deployed.stack.environment("SubmitFunctionName")["POWERTOOLS_LOG_LEVEL"] == level

    answer, after = deployed.submit(posted(address, environment))
    assert answer["headers"]["Idempotent-Replayed"] == "true"
    assert after == before
    assert deployed.subjects(address) == ["Reset your password"]


def test_a_deletion_completes_and_leaves_the_data(deployed: Deployed) -> None:
    stored = deployed.rows("select count(*) from dovecote.notifications")
    assert deployed.stack.delete() == "DELETE_COMPLETE"
    assert deployed.rows("select count(*) from dovecote.notifications") == stored
