"""Schemathesis over the local stack: no answer of the server's fault, and none beside its schema.

SCHEMATHESIS_CASES says of how many cases, SCHEMATHESIS_SEED of which ones.
"""

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from local.playground import SETTINGS, push_targets
from local.provider import Fault, Order, Provider
from local.stack import Options, Stack
from local.template import read_template
from tests.functions import ROOT

pytestmark = pytest.mark.channels("email", "push")

CASES = int(os.environ.get("SCHEMATHESIS_CASES", "500"))
SEED = os.environ.get("SCHEMATHESIS_SEED", "1")
HERE = Path(__file__).with_name("schemathesis")
PROGRAM = ROOT / ".venv-schemathesis" / "bin" / "st"
ROUTES = {f"{route.method} {route.path}" for route in read_template(ROOT / "template.yaml").routes}
Document = dict[str, Any]

# Dead letters are to be found and redriven too.
REFUSED = Order(do=Fault.ERROR, service="ses", rate=0.3, status=400, code="MessageRejected")


async def described(url: str) -> Document:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/openapi.json") as answer:
        document: Document = await answer.json()
        return document


def without_routes(document: Document) -> list[str]:
    """Return the operations that the template has no route for."""
    return [
        operation["operationId"]
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters" and f"{method.upper()} {path}" not in ROUTES
    ]


async def examine(directory: Path) -> tuple[int, str, list[Document]]:
    """Run Schemathesis over a stack; return its exit code, what it says, and what was exchanged."""
    provider = Provider()
    provider.give(REFUSED)
    options = Options(
        directory=directory / "stack",
        environment=SETTINGS | push_targets(provider, "schemathesis"),
        tick_seconds=1,
        durable=False,
    )
    async with Stack(options, provider) as stack:
        document = await described(stack.api_url)
        (directory / "openapi.json").write_text(json.dumps(document))
        process = await asyncio.create_subprocess_exec(
            *command(directory, stack.api_url, without_routes(document)),
            cwd=directory,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(HERE)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            said, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
    exchanged = json.loads((directory / "report.har").read_text())["log"]["entries"]
    return process.returncode or 0, said.decode(), exchanged


def command(directory: Path, url: str, excluded: list[str]) -> list[str | Path]:
    """Return the command of a run, with as many examples an operation as make the cases."""
    excluding = [part for name in excluded for part in ("--exclude-operation-id", name)]
    return [
        *(PROGRAM, "--config-file", HERE / "schemathesis.toml"),
        *("run", directory / "openapi.json", "--url", url, "--seed", SEED),
        *("--max-examples", str(-(-CASES // len(ROUTES)))),
        *("--report", "har", "--report-har-path", directory / "report.har", "--no-color"),
        *excluding,
    ]


def called(exchanged: list[Document]) -> set[str]:
    """Return the routes that were called."""
    calls = {(one["request"]["method"], one["request"]["url"]) for one in exchanged}
    paths = {f"{method} {urlsplit(url).path}" for method, url in calls}
    patterns = {route: re.compile(re.sub(r"{\w+}", "[^/]+", route)) for route in ROUTES}
    return {
        route for route, pattern in patterns.items() if any(pattern.fullmatch(p) for p in paths)
    }


@pytest.mark.timeout(60 + CASES / 4)
def test_schemathesis_finds_no_answer_but_what_is_described(tmp_path: Path) -> None:
    assert PROGRAM.exists(), "make .venv-schemathesis/.schemathesis"
    code, said, exchanged = asyncio.run(examine(tmp_path))
    assert code == 0, said
    assert len(exchanged) >= CASES, said
    assert ROUTES - called(exchanged) == set(), said
    assert not [one for one in exchanged if one["response"]["status"] >= 500]
