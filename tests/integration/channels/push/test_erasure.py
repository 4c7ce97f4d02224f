"""The devices of an erased user are deleted at SNS and here."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from dovecote.channels import NAMES
from dovecote.wiring.settings import load
from local.provider import Running
from tests.functions import Functions, environment, run_functions
from tests.integration.channels.push.devices import applications, pushing, register
from tests.integration.test_erasure import (
    ANN,
    BEN,
    CANARY,
    USER,
    a_body,
    erase,
    fetched,
    idle,
    stored_text,
)
from tests.integration.test_http import assert_problem
from tests.integration.test_roles import as_user, names, users

Connection = psycopg.Connection[Any]
__all__ = ["applications", "idle", "names", "pushing", "users"]


def test_the_devices_of_a_user_go_at_sns_and_here(
    pushing: Functions, connection: Connection, provider: Running
) -> None:
    assert register(pushing, "phone", "apns", "a" * 64) == 200
    assert register(pushing, "tablet", "fcm", "b" * 64) == 200
    assert pushing.post(a_body()).status == 202
    assert len(provider.provider.registry.endpoints) == 2
    erase(pushing, USER, erased=2 + len(NAMES[1:]), devices=2)
    assert fetched(connection, "select from push_devices") == []
    assert len(provider.provider.registry.endpoints) == 0
    erase(pushing, USER)


def test_where_sns_is_out_of_reach_nothing_is_erased_and_the_call_may_be_repeated(
    pushing: Functions, connection: Connection, database_url: str, catalog_folder: Path
) -> None:
    assert register(pushing, "phone", "apns", "a" * 64) == 200
    assert pushing.post(a_body()).status == 202
    arns = load().of("push").push_application_arns
    values = environment(
        database_url,
        "http://127.0.0.1:9",
        catalog_folder,
        PUSH_APPLICATION_ARNS=arns,
        PUSH_TOPIC_ARN="",
    )
    with run_functions(values) as cut_off:
        assert_problem(cut_off.call("DELETE", USER), 503)
    assert fetched(connection, "select count(user_id) from notification_routes") == [(len(NAMES),)]
    erase(pushing, USER, erased=len(NAMES), devices=1)


@pytest.mark.channels("email", "push")
def test_api_erases_as_its_own_user_and_logs_nothing_of_whom(
    connection: Connection,
    users: dict[str, str],
    database_url: str,
    idle: Functions,
    provider: Running,
    catalog_folder: Path,
    applications: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    idle.post(a_body())
    anonymous = [{"email": BEN, "data": {"first_name": CANARY}}]
    idle.post(a_body(idempotency_key="2", recipients=anonymous))
    url = as_user(connection, database_url, users["Api"])
    arns = ",".join((applications["APNS"], applications["GCM"]))
    values = environment(
        url, provider.url, catalog_folder, PUSH_APPLICATION_ARNS=arns, PUSH_TOPIC_ARN=""
    )
    with run_functions(values) as functions:
        assert register(functions, "phone", "apns", "a" * 64) == 200
        erase(functions, USER, erased=len(NAMES), devices=1)
        erase(functions, f"/recipients?email={quote(BEN, safe='')}", erased=1)
    printed = capsys.readouterr().out
    assert printed.count('"message":"person erased"') == 2
    assert not [word for word in (ANN, BEN, "u-1", CANARY) if word in printed]
    assert CANARY not in stored_text(connection)
