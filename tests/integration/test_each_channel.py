"""Each channel works with a catalog that has no other, and without the code of the others."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dovecote import channels
from dovecote.channels import NAMES, NUMBERS
from local.provider import Running
from tests.catalogs import write_catalog
from tests.functions import ROOT, Functions, environment, run_functions
from tests.sending import SETTINGS, recipient

KIND = "greeting.sent"
ALONE = """
import importlib, pkgutil, sys
from pathlib import Path

import dovecote
from dovecote import channels
from dovecote.catalog.compile import check

for module in pkgutil.walk_packages(dovecote.__path__, "dovecote."):
    if module.name != "dovecote.aws.otlp":  # its exporter is optional
        importlib.import_module(module.name)
assert check(Path(sys.argv[1]), channels.sections()) == 1
print(*channels.NAMES, *channels.NUMBERS.values())
"""


@pytest.fixture(params=NAMES)
def channel(request: pytest.FixtureRequest) -> str:
    """The name of a channel."""
    name: str = request.param
    return name


@pytest.fixture
def catalog(channel: str, tmp_path: Path) -> Path:
    """A catalog with one kind of one channel, and the template files of that channel alone."""
    return write_catalog(tmp_path / "catalog", {KIND: {"channels": [channel]}})


@pytest.fixture
def functions(
    database_url: str, provider: Running, catalog: Path, channel: str
) -> Iterator[Functions]:
    """The functions with that catalog."""
    settings = {**SETTINGS[channel], "INLINE_ROUTES": "0"}
    with run_functions(environment(database_url, provider.url, catalog, **settings)) as opened:
        yield opened


def test_a_notification_of_one_channel_is_stored_and_delivered(
    functions: Functions, channel: str
) -> None:
    field = channels.get(channel).address_field
    recipients = [{field: recipient()[field]}]
    body = {"kind": KIND, "idempotency_key": "k-1", "payload": {}, "recipients": recipients}
    answer = functions.post(body)
    assert answer.status == 202, answer
    assert [(route["channel"], route["status"]) for route in answer.body["routes"]] == [
        (channel, "pending")
    ]
    assert functions.dispatch()["published"] == 1


def test_the_code_of_a_channel_needs_no_code_of_another(
    channel: str, catalog: Path, tmp_path: Path
) -> None:
    package = tmp_path / "layer" / "dovecote"
    shutil.copytree(ROOT / "layers" / "dovecote" / "dovecote", package)
    registry = package / "channels" / "__init__.py"
    for name in sorted(set(NAMES) - {channel}):
        shutil.rmtree(package / "channels" / name)
        line = f'    "{name}": {NUMBERS[name]},\n'
        assert registry.read_text().count(line) == 1
        registry.write_text(registry.read_text().replace(line, ""))
    ran = subprocess.run(
        [sys.executable, "-c", ALONE, str(catalog)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(package.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout.split() == [channel, str(NUMBERS[channel])], ran.stderr
