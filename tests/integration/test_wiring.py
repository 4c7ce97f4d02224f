"""What the composition root makes of an environment."""

import json
import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from dovecote.catalog.errors import BadCatalog
from dovecote.core.parsing.settings import BadSettings
from dovecote.wiring import clients, observability
from dovecote.wiring.settings import load
from local.provider import Fault, Order, Running
from tests.builders import CHANNEL
from tests.functions import Context, environment, run_functions
from tests.sending import a_body, channel_body
from tests.unit.examples import TRACEPARENT


def test_an_iam_connection_is_encrypted_verified_and_carries_a_fresh_token(
    catalog_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    values = environment("", "", catalog_folder) | {
        "DB_HOST": "db.example.com",
        "DB_PORT": "5432",
        "DB_NAME": "app",
        "DB_USER": "dovecote_submit",
    }
    with run_functions(values):
        monkeypatch.setattr(
            clients.Connection, "connect", lambda **parameters: asked.append(parameters)
        )
        clients.connect()
    (parameters,) = asked
    assert parameters["host"] == "db.example.com"
    assert parameters["port"] == 5432
    assert parameters["user"] == "dovecote_submit"
    assert parameters["password"].startswith("db.example.com:5432/?Action=connect")
    assert parameters["sslmode"] == "verify-full"
    assert parameters["sslrootcert"] == str(clients.CA_FILE)
    assert parameters["prepare_threshold"] is None


def on_aws(catalog_folder: Path, **more: str) -> dict[str, str]:
    """Return the environment of functions that connect by IAM."""
    database = {
        "DB_HOST": "db.example.com",
        "DB_PORT": "5433",
        "DB_NAME": "app",
        "DB_USER": "Ann+x",
    }
    return environment("", "", catalog_folder) | database | more


@pytest.mark.parametrize("session_token", ["", "of/a+role="])
def test_the_token_is_the_one_that_boto3_makes(
    catalog_folder: Path, monkeypatch: pytest.MonkeyPatch, session_token: str
) -> None:
    noon = datetime(2026, 12, 1, 12, tzinfo=UTC)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: noon)
    values = on_aws(catalog_folder, AWS_SESSION_TOKEN=session_token)
    with run_functions(values):
        rds = boto3.session.Session().client("rds")
        made = rds.generate_db_auth_token(
            DBHostname="db.example.com", Port=5433, DBUsername="Ann+x"
        )
        assert clients.iam_token(load()) == made
    assert "X-Amz-Date=20261201T120000Z" in made
    assert ("X-Amz-Security-Token" in made) is bool(session_token)


def test_a_token_needs_no_client(catalog_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with run_functions(on_aws(catalog_folder)):
        monkeypatch.setattr(clients.session(), "client", None)
        assert clients.iam_token(load())


def test_without_a_region_there_is_no_token(catalog_folder: Path) -> None:
    with (
        run_functions(on_aws(catalog_folder, AWS_DEFAULT_REGION="", AWS_CONFIG_FILE="/dev/null")),
        pytest.raises(BadSettings, match="AWS_DEFAULT_REGION: is not set"),
    ):
        clients.iam_token(load())


def test_each_line_of_the_log_names_its_request_whoever_writes_the_first(
    catalog_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with run_functions(environment("", "", catalog_folder)), ThreadPoolExecutor(8) as executor:
        log = observability.start_log(Context())
        list(executor.map(lambda number: log.info("line", number=number), range(8)))
        log = observability.start_log(Context(aws_request_id="request-2"))
        log.info("line", number=8)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    requests = {line["number"]: line["request_id"] for line in lines}
    assert requests == {**dict.fromkeys(range(8), "request-1"), 8: "request-2"}
    assert len(lines) == 9


@pytest.mark.parametrize(
    ("parent", "own"),
    [(None, True), ("", True), ("00-malformed", True), (TRACEPARENT, False)],
)
def test_each_line_of_the_log_names_the_callers_trace_or_its_own(
    catalog_folder: Path, capsys: pytest.CaptureFixture[str], parent: str | None, own: bool
) -> None:
    with run_functions(environment("", "", catalog_folder)):
        observability.start_log(Context(), parent).info("line")
    trace_id = json.loads(capsys.readouterr().out)["trace_id"]
    assert re.fullmatch("[0-9a-f]{32}", trace_id)
    assert (trace_id != TRACEPARENT[3:35]) is own


def test_a_failed_send_is_one_post(
    database_url: str, provider: Running, catalog_folder: Path
) -> None:
    """The SDK would repeat a request that stalled, was closed or got a 5xx."""
    provider.provider.give(Order(do=Fault.ERROR, status=503, times=1))
    with run_functions(environment(database_url, provider.url, catalog_folder)) as functions:
        functions.post(channel_body())
    assert len(provider.provider.ledger.attempts) == 1


def test_bad_settings_stop_a_function_with_the_variables_name(
    database_url: str, catalog_folder: Path
) -> None:
    values = environment(database_url, "", catalog_folder, LEASE_SECONDS="5")
    with run_functions(values) as functions, pytest.raises(BadSettings, match="LEASE_SECONDS: "):
        functions.dispatch()


def test_a_wrong_catalog_stops_a_function_naming_the_place(
    database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "kinds.yaml").write_text("kinds: {a.b: {channels: [fax], schema: {type: object}}}")
    with (
        run_functions(environment(database_url, "", tmp_path)) as functions,
        pytest.raises(BadCatalog, match=r"kinds.yaml: line 1: a.b: channels"),
    ):
        functions.post(a_body())


def break_template(folder: Path) -> None:
    """Let a template of order.shipped use a variable that its schema does not have."""
    name, at = {"email": ("body.txt", ""), "push": ("push.json", '": "')}[CHANNEL]
    path = folder / "templates" / "order-shipped" / name
    path.write_text(path.read_text().replace(at, f"{at}{{{{ nobody }}}}", 1))


def break_schema(folder: Path) -> None:
    """Let the schema of order.shipped have a keyword with a value of another type."""
    path = folder / "kinds.yaml"
    document = yaml.safe_load(path.read_text())
    schema = document["kinds"]["order.shipped"]["schema"]
    schema["properties"]["order_id"]["maxLength"] = "one"
    path.write_text(yaml.safe_dump(document))


@pytest.mark.parametrize(
    ("break_it", "place"), [(break_template, "nobody"), (break_schema, "order.shipped: schema: ")]
)
def test_what_is_wrong_with_a_kind_stops_it_where_it_is_used_and_no_other(
    database_url: str,
    provider: Running,
    catalog_folder: Path,
    tmp_path: Path,
    break_it: Callable[[Path], None],
    place: str,
) -> None:
    folder = tmp_path / "catalog"
    shutil.copytree(catalog_folder, folder)
    break_it(folder)
    with run_functions(environment(database_url, provider.url, folder)) as functions:
        with pytest.raises(BadCatalog, match=place):
            functions.post(a_body())
        assert functions.post(channel_body()).status == 202
