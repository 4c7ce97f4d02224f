"""Applications and devices at the provider, for tests of push."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest

from local.provider import Running
from local.provider.ledger import Push
from tests.functions import Answer, Functions, environment, run_functions
from tests.sending import a_body

Connection = psycopg.Connection[Any]
LATER = "2999-01-01T00:00:00Z"


@pytest.fixture
def applications(provider: Running) -> dict[str, str]:
    """The platform applications and topics at the provider, by name."""
    sns = boto3.client(
        "sns",
        endpoint_url=provider.url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    made = {
        platform: sns.create_platform_application(
            Name="app", Platform=platform, Attributes={"PlatformCredential": "c"}
        )["PlatformApplicationArn"]
        for platform in ("APNS", "GCM")
    }
    made["topic"] = sns.create_topic(Name="pushes")["TopicArn"]
    return made


@pytest.fixture
def pushing(
    database_url: str, provider: Running, catalog_folder: Path, applications: dict[str, str]
) -> Iterator[Functions]:
    """The functions with platform applications for APNs and FCM, and no topic."""
    arns = ",".join((applications["APNS"], applications["GCM"]))
    values = environment(
        database_url,
        provider.url,
        catalog_folder,
        BACKOFF_BASE_SECONDS="0",
        PUSH_APPLICATION_ARNS=arns,
        PUSH_TOPIC_ARN="",
    )
    with run_functions(values) as wired:
        yield wired


def register(functions: Functions, session: str, platform: str, token: str) -> int:
    return put_device(functions, "u-1", session, platform=platform, token=token).status


def put_device(functions: Functions, user: str, session: str, **members: str) -> Answer:
    device = {"user_id": user, "device_session_id": session, **members}
    return functions.call("PUT", "/devices", json.dumps(device).encode())


def sent_pushes(provider: Running) -> list[Push]:
    pushes = [a.content for a in provider.provider.ledger.accepted if a.service == "sns"]
    return sorted(
        (push for push in pushes if isinstance(push, Push)),
        key=lambda push: "GCM" in push.target,
    )


def post_to_device(functions: Functions, **more: Any) -> Answer:
    """Notify u-1 by push alone."""
    body = a_body(recipients=[{"user_id": "u-1", "data": {"first_name": "Ann"}}])
    answer = functions.post(body | more)
    assert answer.status == 202
    return answer


def post_scheduled(functions: Functions, connection: Connection, **more: Any) -> Answer:
    """Notify u-1 by push alone, later; let the time come, so that dispatch is to send the push."""
    answer = post_to_device(functions, deliver_at=LATER, **more)
    make_due(connection)
    assert functions.expand()["routes_expanded"] == 1
    return answer


def make_due(connection: Connection) -> None:
    """Let the time of everything that is scheduled come."""
    connection.execute(
        "update dovecote.notification_routes set next_attempt_at = now() where status = 'pending'"
    )


def device_routes(connection: Connection) -> list[Any]:
    return connection.execute(
        "select status, attempts, last_error from dovecote.notification_routes"
        " where device_session_id is not null order by created_at"
    ).fetchall()


PHONE = "/devices?user_id=u-1&device_session_id=phone"
