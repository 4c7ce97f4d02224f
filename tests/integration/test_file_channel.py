"""A channel is one folder, one line in the registry, and its settings in the template.

The checkout of these tests is a copy of this one with tests/channels/file/ as a third channel, and
with a kind of that channel. `make run` runs it: every process of the stack has the channel.
"""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dovecote.channels import NAMES, NUMBERS
from tests.canary import CANARY
from tests.functions import ROOT
from tests.runs import Run, running, until

pytestmark = [pytest.mark.channels("email", "push"), pytest.mark.timeout(300)]

KIND = "report.filed"
ENTRY = f"""
  {KIND}:
    channels: [file]
    max_attempts: 50
    schema:
      type: object
      required: [title]
      properties: {{title: {{type: string}}}}
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This checkout with one channel more."""
    ignored = shutil.ignore_patterns(".*", "__pycache__", "node_modules")
    copy = shutil.copytree(ROOT, tmp_path_factory.mktemp("file") / "dovecote", ignore=ignored)
    channels = copy / "layers" / "dovecote" / "dovecote" / "channels"
    shutil.copytree(ROOT / "tests" / "channels" / "file", channels / "file", ignore=ignored)
    number = max(NUMBERS.values()) + 1
    insert(channels / "__init__.py", r"NUMBERS: [^}]*(?=})", f'    "file": {number},\n')
    insert(
        copy / "template.yaml",
        r"    Environment:\n[^}]*?Variables:\n",
        f"{' ' * 8}FILE_FOLDER: ''\n",
    )
    catalog = copy / "layers" / "catalog" / "catalog"
    insert(catalog / "kinds.yaml", r"(?s).*", ENTRY)
    (catalog / "templates" / "report-filed").mkdir()
    (catalog / "templates" / "report-filed" / "line.txt").write_text("Filed: {{ title }}\n")
    return copy


def insert(path: Path, after: str, text: str) -> None:
    """Insert text after the first match of a pattern."""
    whole = path.read_text("utf-8")
    found = re.search(after, whole)
    assert found is not None, path
    path.write_text(whole[: found.end()] + text + whole[found.end() :], encoding="utf-8")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the channel writes to."""
    return tmp_path_factory.mktemp("files") / "folder"


@pytest.fixture(scope="module")
def run(checkout: Path, files: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The stack of that checkout; dispatch alone sends, each second."""
    files.mkdir()
    directory = tmp_path_factory.mktemp("run") / "local"
    settings = {"FILE_FOLDER": str(files), "INLINE_ROUTES": "0"}
    with running(directory, root=checkout, **settings) as started:
        yield started


def ask(run: Run, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    headers = {"Content-Type": "application/json"}
    return run.ask(method, path, None if body is None else json.dumps(body), **headers)


def post(run: Run, file: str, title: str = "") -> str:
    """Submit a report to a file; return the path of its notification."""
    body = {
        "kind": KIND,
        "idempotency_key": file,
        "payload": {"title": title or f"{CANARY} report"},
        "recipients": [{"file": file}],
    }
    status, answer = ask(run, "POST", "/notifications", body)
    assert status == 202, answer
    (route,) = answer["routes"]
    assert (route["channel"], route["status"], route["address"]) == ("file", "pending", file)
    return f"/notifications/{answer['notification_id']}"


def read(run: Run, path: str) -> Any:
    """Return the one route of a notification."""
    status, answer = ask(run, "GET", path)
    assert status == 200, answer
    (route,) = answer["routes"]
    return route


def wait_for(run: Run, path: str, status: str) -> Any:
    """Wait until the route of a notification has a status, and return the route."""
    until(lambda: read(run, path)["status"] == status, 30)
    return read(run, path)


def overview(run: Run, rows: str) -> list[Any]:
    """Return the channel's rows of a part of the overview."""
    status, answer = ask(run, "GET", "/overview")
    assert status == 200, answer
    return [row for row in answer[rows] if row["channel"] == "file"]


def test_a_line_is_appended_for_each_notification(run: Run, files: Path) -> None:
    (files / "news.txt").write_text("Earlier\n")
    route = wait_for(run, post(run, "news.txt", "first"), "published")
    assert (route["attempts"], route["user_id"]) == (1, None)
    assert (files / "news.txt").read_text() == "Earlier\nFiled: first\n"


def test_an_address_that_names_no_file_is_refused(run: Run) -> None:
    body = {
        "kind": KIND,
        "idempotency_key": "outside",
        "payload": {"title": ""},
        "recipients": [{"file": "../outside.txt"}],
    }
    status, answer = ask(run, "POST", "/notifications", body)
    assert (status, answer["errors"][0]["pointer"]) == (422, "/recipients/0/file")


def test_a_failed_attempt_is_repeated(run: Run, files: Path) -> None:
    path = post(run, "team/news.txt")
    assert wait_for(run, path, "retrying")["last_error"] == "ENOENT"
    (files / "team").mkdir()
    assert wait_for(run, path, "published")["attempts"] >= 2
    assert (files / "team" / "news.txt").read_text() == f"Filed: {CANARY} report\n"


def test_a_dead_letter_is_listed_and_redriven(run: Run, files: Path) -> None:
    (files / "taken.txt").mkdir()
    path = post(run, "taken.txt")
    route = wait_for(run, path, "dead_lettered")
    status, answer = ask(run, "GET", "/dead-letters?channel=file")
    (letter,) = answer["dead_letters"]
    assert (status, letter["route_id"]) == (200, route["route_id"])
    assert (letter["reason"], letter["error"]) == ("permanent", "EISDIR")
    assert ask(run, "GET", "/overview")[1]["dead_letters"] == [{"reason": "permanent", "open": 1}]
    (files / "taken.txt").rmdir()
    assert ask(run, "POST", f"/dead-letters/{route['route_id']}/redrive")[0] == 202
    wait_for(run, path, "published")
    assert (files / "taken.txt").read_text() == f"Filed: {CANARY} report\n"


def test_the_channel_pauses_alone_and_resumes(run: Run, files: Path) -> None:
    away = files.rename(files.with_name("away"))
    path = post(run, "later.txt")
    until(lambda: bool(overview(run, "paused")), 30)
    (pause,) = overview(run, "paused")
    assert (pause["resource"], pause["error"]) == ("file", "FILE_FOLDER is not a folder")
    assert [row["live"] for row in overview(run, "live") if row["status"] != "retrying"] == [1]
    assert run.post("email.json", "while the file channel is paused")[0] == 202
    away.rename(files)
    assert wait_for(run, path, "published")["attempts"] == 1
    until(lambda: not overview(run, "paused"), 30)
    assert (files / "later.txt").exists()


def test_the_console_knows_the_channel_and_its_kind(run: Run) -> None:
    assert ask(run, "GET", "/_console/about")[1]["channels"] == [*NAMES, "file"]
    kinds = {kind["kind"]: kind for kind in ask(run, "GET", "/_console/templates")[1]}
    assert kinds[KIND]["channels"] == ["file"]
    assert ask(run, "GET", f"/_console/templates/{KIND}")[0] == 200


def test_the_description_of_the_api_has_the_channel_and_its_address(run: Run) -> None:
    schemas = ask(run, "GET", "/openapi.json")[1]["components"]["schemas"]
    assert schemas["Channel"]["enum"] == [*NAMES, "file"]
    assert schemas["Recipient"]["properties"]["file"] == {"type": ["string", "null"]}


def test_the_metrics_have_a_line_of_the_channel(run: Run) -> None:
    log = run.directory / "log" / "DispatchFunction.log"
    until(lambda: bool(re.search(r'"channel": ?"file"', log.read_text())), 30)
