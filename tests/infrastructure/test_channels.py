"""Every registered channel has its lines in the template, and what reads channels names none."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dovecote import channels
from tests.infrastructure.reading import permissions
from tests.infrastructure.transform import ROOT


@pytest.mark.parametrize("function", ["SubmitFunction", "DispatchFunction"])
@pytest.mark.parametrize("channel", channels.NAMES)
def test_a_function_that_sends_may_call_the_provider_of_every_channel(
    channel: str, function: str
) -> None:
    sids = [statement["Sid"] for statement in permissions(function)]
    assert [sid for sid in sids if sid.startswith(channel.capitalize())]


STORE = ROOT / "layers" / "dovecote" / "dovecote" / "store"
STATEMENTS = sorted(path.relative_to(STORE).as_posix() for path in STORE.rglob("*.sql"))


@pytest.mark.parametrize("name", STATEMENTS)
def test_sql_names_no_channel(name: str) -> None:
    text = (STORE / name).read_text("utf-8")
    named = [one for one in channels.NAMES if re.search(rf"'{one}[/']", text)]
    assert not named


READERS = sorted(
    path.relative_to(ROOT)
    for folder in ("operate/console", "operate/checks", "local/page", "local/demo", "local/run")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".py", ".js", ".html"}
)


@pytest.mark.parametrize("reader", READERS, ids=str)
def test_a_reader_compares_no_channel_with_a_name(reader: Path) -> None:
    text = (ROOT / reader).read_text("utf-8")
    names = "|".join(channels.NAMES)
    compared = rf"channel\W{{0,4}}\s*(?:[!=]=+|in)\s*[\[(]?['\"](?:{names})['\"]"
    listed = rf"['\"](?:{names})['\"],\s*['\"](?:{names})['\"]"
    assert re.findall(rf"{compared}|{listed}|Channel\.[A-Z]+\b", text) == []


@pytest.mark.parametrize("channel", channels.NAMES)
def test_without_a_channel_the_tests_of_the_others_are_collected(
    channel: str, tmp_path: Path
) -> None:
    ignored = shutil.ignore_patterns(".*", "__pycache__", "node_modules")
    copy = shutil.copytree(ROOT, tmp_path / "dovecote", ignore=ignored)
    for folder in ("layers/dovecote/dovecote", "tests/unit", "tests/integration"):
        shutil.rmtree(copy / folder / "channels" / channel, ignore_errors=True)
    registry = copy / "layers" / "dovecote" / "dovecote" / "channels" / "__init__.py"
    line = f'    "{channel}": {channels.NUMBERS[channel]},\n'
    registry.write_text(registry.read_text("utf-8").replace(line, ""), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "tests/unit",
        "tests/integration",
    ]
    environment = {**os.environ, "PYTHONPATH": "layers/dovecote:."}
    collected = subprocess.run(
        command, cwd=copy, env=environment, capture_output=True, text=True, check=False
    )
    assert collected.returncode == 0, collected.stdout[-2_000:]
