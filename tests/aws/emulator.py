"""ministack: an emulator of AWS, as a process of the test's own.

It runs functions in containers, as AWS does: the layers at /opt, the function's own environment and
the credentials of its role, whose policies it holds each call against. AWS_ENDPOINT_URL leads to
it, whatever a function's environment says of that.
"""

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import boto3
from botocore.config import Config

from local import leash
from local.postgres import free_port
from local.sam import docker
from local.sam.command import CREDENTIALS, NO_CREDENTIALS
from local.sam.docker import Bridge
from operate import ROOT

PYTHON = ROOT / ".venv-emulator" / "bin" / "python"
START = Path(__file__).with_name("start_ministack.py")
REGION = "us-east-1"
ACCOUNT = "000000000000"
# What ministack takes for the root user of its account.
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
# Lambda's image talks to Lambda; this stands in for it, and comes with aws-sam-cli.
INTERFACE = "lib/python3*/site-packages/samcli/local/rapid/aws-lambda-rie-x86_64"
# ministack asks for the image of the runtime by this name, behind a prefix of ours.
RUNTIME_IMAGE = "public.ecr.aws/lambda/python:3.13"
READY_SECONDS = 60
STOP_SECONDS = 30


class EmulatorError(Exception):
    """The emulator cannot be had; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Emulator:
    """A running emulator."""

    url: str
    log: Path

    def client(self, service: str) -> Any:
        """Make a client that asks once: a request that comes twice would be another send."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
            config=Config(read_timeout=300, retries={"total_max_attempts": 1}),
        )

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of a tool of AWS, with which it knows this place and no other."""
        here = {"AWS_ENDPOINT_URL": self.url, "AWS_DEFAULT_REGION": REGION}
        return {**_without_aws(os.environ), **NO_CREDENTIALS, **KEYS, **here}

    def refusal(self, token: str, host: str, port: int, user: str, resource_id: str) -> str:
        """Return why IAM does not let a user into a database with a token, "" where it does."""
        asked = {"token": token, "host": host, "port": port, "user": user}
        where = {"resource_id": resource_id, "region": REGION, "account": ACCOUNT}
        request = urllib.request.Request(  # noqa: S310 - it is ours
            f"{self.url}/_dovecote/rds-db-connect",
            method="POST",
            data=json.dumps({**asked, **where}).encode(),
        )
        try:
            with urllib.request.urlopen(request, timeout=10):  # noqa: S310
                return ""
        except HTTPError as refused:
            with refused:
                return refused.read().decode()

    def mails(self) -> list[dict[str, Any]]:
        """Return what SES was given to send, oldest first."""
        with urllib.request.urlopen(f"{self.url}/_ministack/ses/messages", timeout=10) as answer:  # noqa: S310 - it is ours
            accounts: dict[str, list[dict[str, Any]]] = json.load(answer)["messages"]
        return [mail for mails in accounts.values() for mail in mails]


@contextmanager
def running(directory: Path, bridge: Bridge | None) -> Iterator[Emulator]:
    """Run an emulator that this machine and its containers reach, and see its containers off."""
    if not PYTHON.exists():
        raise EmulatorError("ministack is not installed: make .venv-emulator/.emulator")
    port = free_port()
    host = "127.0.0.1" if bridge is None else str(bridge.gateway)
    emulator = Emulator(url=f"http://{host}:{port}", log=directory / "ministack.log")
    with _image(f"dovecote-test-{port}") as prefix, emulator.log.open("w") as log:
        process = subprocess.Popen(
            # -P: the modules beside that file are not for ministack to import.
            leash.command(str(PYTHON), "-P", str(START), signal=signal.SIGTERM),
            env=_environment(host, port, prefix, directory),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # a Ctrl-C at the terminal is for us, not for the emulator
        )
        try:
            _await_ready(process, emulator)
            yield emulator
        finally:
            _stop(process)
            _remove_containers(port)


@contextmanager
def _image(prefix: str) -> Iterator[str]:
    """Make the functions' image one that ministack can invoke, under a name of our own."""
    interface = next((ROOT / ".venv-sam").glob(INTERFACE), None)
    if interface is None:
        raise EmulatorError("aws-sam-cli is not installed: make .venv-sam/.sam")
    name = f"{prefix}/{RUNTIME_IMAGE}"
    container = _docker("create", docker.IMAGE)
    try:
        _docker("cp", str(interface), f"{container}:/var/aws-lambda-rie")
        entry = json.dumps(
            ["/var/aws-lambda-rie", "--log-level", "error", "/var/runtime/bootstrap"]
        )
        _docker("commit", "--change", f"ENTRYPOINT {entry}", container, name)
    finally:
        _docker("rm", container)
    try:
        yield prefix
    finally:
        _docker("image", "rm", name)


def _environment(host: str, port: int, prefix: str, directory: Path) -> dict[str, str]:
    temporary = directory / "tmp"
    temporary.mkdir()
    return {
        **_without_aws(os.environ),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": host,
        "AUTH": "true",  # a function may do what its role lets it do
        "LAMBDA_EXECUTOR": "docker",
        "LAMBDA_STRICT": "1",  # never as a process of this machine
        "MINISTACK_IMAGE_PREFIX": prefix,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "STATE_DIR": str(directory / "state"),
        "TMPDIR": str(temporary),
        # Two servers of its own, each on a port of everyone's.
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
    }


def _without_aws(ours: Mapping[str, str]) -> dict[str, str]:
    """Leave out what would lead to an account, or lead the functions elsewhere."""
    return {
        name: value
        for name, value in ours.items()
        if name not in CREDENTIALS and not name.startswith("AWS_")
    }


def _await_ready(process: subprocess.Popen[bytes], emulator: Emulator) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        with (
            suppress(OSError),
            urllib.request.urlopen(f"{emulator.url}/_ministack/health", timeout=5),  # noqa: S310
        ):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            said = emulator.log.read_text(errors="replace").strip().splitlines()
            raise EmulatorError(f"ministack did not start, see {emulator.log}: {said[-1:]}")
        time.sleep(0.1)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _remove_containers(port: int) -> None:
    """Remove what an emulator that was killed left; its port is its name."""
    label = '{{.ID}} {{.Label "ministack.instance"}}'
    listed = _docker("ps", "--all", "--filter", "label=ministack.instance", "--format", label)
    left = [line.split()[0] for line in listed.splitlines() if line.endswith(f":{port}")]
    if left:
        _docker("rm", "--force", *left)


def _docker(*arguments: str) -> str:
    done = subprocess.run(
        ["docker", *arguments],  # noqa: S607 - wherever the user has it
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()
