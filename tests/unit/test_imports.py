"""Importing a handler needs no environment, no network and no database."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHANNELS = ROOT / "layers" / "dovecote" / "dovecote" / "channels"
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
assert not (loaded := [name for name in sys.argv[2:] if name in sys.modules]), loaded
"""

# What a channel's folder has beyond its definition, and what channels share beyond the registry.
OF_CHANNELS = sorted(
    f"dovecote.channels.{path.relative_to(CHANNELS).with_suffix('').as_posix().replace('/', '.')}"
    for path in CHANNELS.rglob("*.py")
    if path.name not in ("__init__.py", "lanes.py")
)

# What no function needs before it knows what it is asked for.
LATER = (
    *OF_CHANNELS,
    "aws_lambda_powertools", "boto3", "botocore.auth", "botocore.client", "dovecote.catalog.kinds",
    "dovecote.dispatch.deliver", "dovecote.dispatch.finalise",
    "dovecote.aws.measurements",
    "dovecote.submit.build_notification",
    "email_validator", "fastjsonschema", "jinja2", "multiprocessing", "opentelemetry.sdk",
    "s3transfer", "urllib3", "xml", "yaml",
)  # fmt: skip
# What none needs at all.
NEVER = (
    "aws_xray_sdk", "dns", "dovecote.aws.otlp", "opentelemetry.exporter", "pydantic", "requests",
)  # fmt: skip
# What another function's requests need; provision is to answer even where the rest is broken.
OTHERS = {
    "api": (
        "dovecote.dispatch.dispatch",
        "dovecote.submit.submission",
        "dovecote.submit.submit",
        "dovecote.wiring.delivery",
        "dovecote.wiring.dispatch",
        "dovecote.wiring.submit",
        "opentelemetry",
    ),
    "dispatch": (
        "dovecote.feedback.record_feedback",
        "dovecote.aws.responses",
        "dovecote.submit.submit",
        "dovecote.wiring.api",
        "dovecote.wiring.submit",
        "opentelemetry",
    ),
    "feedback": (
        "dovecote.dispatch.dispatch",
        "dovecote.submit.submission",
        "dovecote.submit.submit",
        "dovecote.wiring.api",
        "dovecote.wiring.delivery",
        "opentelemetry",
    ),
    "provision": ("botocore", "dovecote.wiring", "msgspec", "psycopg"),
    "purge": (
        "dovecote.dispatch.dispatch",
        "dovecote.aws.responses",
        "dovecote.submit.submission",
        "dovecote.wiring.api",
        "dovecote.wiring.delivery",
        "opentelemetry",
    ),
    "submit": (
        "dovecote.dispatch.dispatch",
        "dovecote.operations.dead_letters",
        "dovecote.feedback",
        "dovecote.people",
        "dovecote.dispatch.services",
        "dovecote.wiring.api",
        "dovecote.wiring.dispatch",
    ),
}


def test_there_are_handlers_to_import() -> None:
    names = {path.parent.name for path in HANDLERS}
    assert {"submit", "dispatch", "api", "feedback", "provision", "purge"} <= names


@pytest.mark.parametrize("handler", HANDLERS, ids=lambda path: path.parent.name)
def test_a_handler_is_imported_with_an_empty_environment_no_network_and_nothing_to_spare(
    handler: Path, tmp_path: Path
) -> None:
    unwanted = (*LATER, *NEVER, *OTHERS[handler.parent.name])
    ran = subprocess.run(
        [sys.executable, "-c", IMPORT, str(handler), *unwanted],
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
