"""sam local: invoke, start-api and start-lambda, as processes that clean up behind themselves."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dovecote.wiring import settings
from local import LocalError, leash
from local.sam import docker
from local.sam.house import House
from local.template import read_template
from operate import ROOT

SAM = ROOT / ".venv-sam" / "bin" / "sam"
BUILD = ROOT / ".aws-sam" / "build"
READY_SECONDS = 120
# sam removes its containers before it ends.
STOP_SECONDS = 30
# sam asks STS whose credentials these are, which takes 8 s for bad ones, and hands good ones to the
# functions. Without any it gives them "defaultkey", with which boto3 signs for the provider.
CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
NO_CREDENTIALS = {
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True, kw_only=True)
class Servers:
    """start-api and start-lambda, by their URLs and their logs."""

    api_url: str
    lambda_url: str
    logs: tuple[Path, Path]


def invoke(house: House, function: str, document: object, log: Path) -> Any:
    """Invoke a function in a container of its own and return its answer; sam's words go to a log.

    An unhandled exception is an answer too, see failure(). Raises LocalError where there is none.
    """
    event = Path(house.directory, "event.json")
    event.write_text(json.dumps(document))
    options = ["--event", str(event), *_options(house)]
    with (
        log.open("w") as errors,
        _running(["invoke", function, *options], errors.fileno(), log, capture=True) as process,
    ):
        output = process.communicate()[0].decode()
    try:
        return json.loads(output)
    except ValueError:
        raise LocalError(f"{function} gave no answer, see {log}: {_last_line(log)}") from None


def failure(answer: Any) -> str | None:
    """Return what ended the function, where the answer is Lambda's report of that."""
    if isinstance(answer, dict) and "errorType" in answer:
        return f"{answer['errorType']}: {answer.get('errorMessage', '')}"
    return None


@contextmanager
def servers(house: House, *, api_port: int, lambda_port: int) -> Iterator[Servers]:
    """Serve the HTTP API and Lambda's Invoke, with containers that stay warm."""
    ports = {"start-api": api_port, "start-lambda": lambda_port}
    with ExitStack() as exits:
        logs = [
            exits.enter_context(_server(house, command, port)) for command, port in ports.items()
        ]
        yield Servers(
            api_url=f"http://127.0.0.1:{api_port}",
            lambda_url=f"http://127.0.0.1:{lambda_port}",
            logs=(logs[0], logs[1]),
        )


@contextmanager
def _server(house: House, command: str, port: int) -> Iterator[Path]:
    if _listens(port):
        raise LocalError(f"port {port} on 127.0.0.1 is taken: name another with PORT=")
    log = Path(house.directory, f"{command}.log")
    options = ["--port", str(port), *_options(house)]
    with (
        log.open("w") as output,
        _running([command, *options], output.fileno(), log, capture=False) as process,
    ):
        deadline = time.monotonic() + READY_SECONDS
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise LocalError(f"sam local {command} did not start, see {log}: {_last_line(log)}")
            time.sleep(0.1)
        yield log


@contextmanager
def _running(
    arguments: list[str], errors: int, log: Path, *, capture: bool
) -> Iterator[subprocess.Popen[bytes]]:
    """Run sam local until the context ends, and see its containers off."""
    if not SAM.exists():
        raise LocalError("aws-sam-cli is not installed: run this by make, which installs it")
    process = subprocess.Popen(
        leash.command(str(SAM), "local", *arguments, signal=signal.SIGINT),
        cwd=ROOT,
        env=_environment(os.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if capture else errors,
        stderr=errors,
        start_new_session=True,  # a Ctrl-C at the terminal is for us, and once is enough for sam
    )
    try:
        yield process
    finally:
        _stop(process)
        docker.remove(log)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)  # at SIGTERM it leaves them
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
    if process.poll() is None:
        process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _options(house: House) -> list[str]:
    return [
        *("--template", str(_template())),
        *("--env-vars", str(house.env_file)),
        *("--config-file", str(ROOT / "samconfig.toml"), "--config-env", "local"),
        *(["--skip-pull-image"] if docker.has_image() else []),
    ]


def _template() -> Path:
    """Return a copy of the built template that declares every setting: sam passes no others."""
    built, copy = BUILD / "template.yaml", BUILD / "local.yaml"
    head, variables, rest = built.read_text().partition("\n      Variables:\n")
    undeclared = sorted(settings.names() - _declared())
    copy.write_text(
        "".join([head, variables, *(f"        {name}: ''\n" for name in undeclared), rest])
    )
    return copy


def _declared() -> set[str]:
    template = read_template(ROOT / "template.yaml")
    return {name for function in template.functions.values() for name in function.environment}


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    """Return sam's environment: no credentials, and nothing that it would hand to the functions.

    sam prefers a variable of the shell to the template's value.
    """
    removed = {*_declared(), *settings.names(), *CREDENTIALS}
    kept = {name: value for name, value in ours.items() if name not in removed}
    return {"AWS_DEFAULT_REGION": "us-east-1", "SAM_CLI_TELEMETRY": "0", **kept, **NO_CREDENTIALS}


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
