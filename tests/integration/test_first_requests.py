"""The first request of a function loads what it needs and no more, in a process of its own."""

import json
import shutil
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dovecote import channels
from dovecote.catalog.compile import compile_catalog
from local.provider import Running
from tests.builders import CHANNEL
from tests.functions import ROOT, environment

WORKER = """
import json, sys

sys.path[:0] = sys.argv[1:3]


class Context:
    aws_request_id = function_name = "first"

    def get_remaining_time_in_millis(self):
        return 60_000


import app

answer = app.handler(json.loads(sys.argv[3]), Context())
print(json.dumps({"answer": answer, "loaded": sorted(sys.modules)}))
"""

SENDING = {
    "boto3",
    "botocore.auth",
    "botocore.client",
    *(f"dovecote.channels.{name}.channel" for name in channels.NAMES),
    "urllib3",
}
CATALOG = {"dovecote.catalog.kinds", "email_validator", "fastjsonschema", "jinja2", "yaml"}
PARSING = {"yaml", "dovecote.catalog.templates.compiling"}
SPANS = {"opentelemetry"}
LOG = {"aws_lambda_powertools"}
# What no function needs of Powertools.
NEVER = {"aws_lambda_powertools.event_handler", "aws_lambda_powertools.utilities.parser"}


class Starts:
    """Functions that are each started anew on one database."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def first(self, name: str, event: Any, **more: str) -> tuple[Any, set[str]]:
        """Return what a function answers to its first event, and the modules it loaded."""
        paths = [str(ROOT / "functions" / name), str(ROOT / "layers" / "dovecote")]
        ran = subprocess.run(
            [sys.executable, "-c", WORKER, *paths, json.dumps(event)],
            env={**self._values, **more},
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
        )
        assert ran.returncode == 0, ran.stderr
        told = json.loads(ran.stdout.splitlines()[-1])
        assert not NEVER & set(told["loaded"])
        return told["answer"], set(told["loaded"])

    def stored(self) -> tuple[str, set[str]]:
        """Store a notification of the first channel; return its id and what submit loaded."""
        event = an_event(CHANNEL)
        event["headers"]["idempotency-key"] = str(uuid.uuid4())
        answer, loaded = self.first("submit", event, INLINE_ROUTES="0")
        assert answer["statusCode"] == 202, answer
        return json.loads(answer["body"])["notification_id"], loaded


def an_event(name: str) -> dict[str, Any]:
    return dict(json.loads((ROOT / "events" / f"{name}.json").read_text()))


@pytest.fixture
def starts(database_url: str, provider: Running, catalog_folder: Path, tmp_path: Path) -> Starts:
    """Functions with the catalog as it is built."""
    built = shutil.copytree(catalog_folder, tmp_path / "catalog")
    assert compile_catalog(built, channels.sections())
    return Starts(environment(database_url, provider.url, built, INLINE_BUDGET_SECONDS="8"))


def test_a_submit_that_tries_nothing_at_once_loads_no_client(starts: Starts) -> None:
    _, loaded = starts.stored()
    assert not loaded & (SENDING | LOG)
    assert "email_validator" not in loaded, "the addresses are plain ones"
    assert "dovecote.catalog.rendering" in loaded, "what is stored can be rendered"
    assert not loaded & PARSING, "the catalog is compiled, with its templates"
    assert "jinja2" not in loaded, "they only print variables"


def test_a_submit_from_a_catalog_that_was_not_compiled_reads_yaml(
    starts: Starts, catalog_folder: Path
) -> None:
    answer, loaded = starts.first(
        "submit", an_event(CHANNEL), CATALOG_PATH=str(catalog_folder), INLINE_ROUTES="0"
    )
    assert answer["statusCode"] == 202, answer
    assert loaded >= PARSING


def test_a_submit_that_tries_at_once_loads_a_client_and_no_dispatcher(starts: Starts) -> None:
    answer, loaded = starts.first("submit", an_event(CHANNEL))
    assert [route["status"] for route in json.loads(answer["body"])["routes"]] == ["published"]
    assert not loaded & {
        "dovecote.dispatch.dispatch",
        "dovecote.dispatch.services",
        "email_validator",
        "pydantic",
    }
    assert not loaded & (LOG | PARSING)
    assert "botocore.client" in loaded


def test_a_dispatch_loads_neither_a_validator_of_payloads_nor_one_of_addresses(
    starts: Starts,
) -> None:
    starts.stored()
    tally, loaded = starts.first("dispatch", {})
    assert tally["published"] == 1
    assert not loaded & {"dovecote.submit.submit", "email_validator", "fastjsonschema", "pydantic"}
    assert not loaded & PARSING


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_read_or_a_cancel_loads_no_client_no_catalog_and_no_spans(
    starts: Starts, method: str
) -> None:
    notification_id, _ = starts.stored()
    event = an_event("get")
    event["routeKey"] = f"{method} /notifications/{{notification_id}}"
    event["pathParameters"] = {"notification_id": notification_id}
    answer, loaded = starts.first("api", event)
    assert answer["statusCode"] == 200
    assert not loaded & (SENDING | CATALOG | SPANS | LOG)


def test_a_look_at_devices_loads_no_client_no_catalog_and_no_spans(starts: Starts) -> None:
    answer, loaded = starts.first("api", an_event("devices"))
    assert json.loads(answer["body"]) == {"devices": [], "next": None}
    assert not loaded & (SENDING | CATALOG | SPANS | LOG)
