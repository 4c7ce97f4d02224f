"""Importing a handler needs no environment, no network and no database."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HANDLERS = sorted(ROOT.glob("functions/*/app.py"))

IMPORT = """
import importlib.util, socket, ssl, sys


def refuse(*args, **kwargs):
    raise AssertionError("the network was used at import")


class Refused(socket.socket):
    __init__ = refuse


socket.socket = Refused
socket.create_connection = refuse
socket.getaddrinfo = refuse

spec = importlib.util.spec_from_file_location("app", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
assert callable(module.handler)
assert "boto3" not in sys.modules, "boto3 is loaded before anything is sent"
"""


def test_there_are_handlers_to_import() -> None:
    names = {path.parent.name for path in HANDLERS}
    assert {"submit", "dispatch", "api", "feedback", "provision"} <= names


@pytest.mark.parametrize("handler", HANDLERS, ids=lambda path: path.parent.name)
def test_a_handler_is_imported_with_an_empty_environment_and_no_network(
    handler: Path, tmp_path: Path
) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", IMPORT, str(handler)],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "layers" / "dovecote"),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
