"""Serve the HTTP API and Lambda's Invoke by sam local until Ctrl-C: python -m local.sam.api."""

import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TextIO

from local import LocalError
from local.sam import command, docker
from local.sam.command import Servers
from local.sam.house import House, house
from local.sam.invoke import DIRECTORY, program
from operate.terminal import say, say_all

PORT = 3000
LOOK_SECONDS = 0.3
COLOUR = re.compile(r"\x1b\[\d*m")


def main() -> int:
    """Serve until Ctrl-C and return the exit code."""
    api_port = _port(os.environ.get("PORT") or str(PORT))
    docker.require()
    with suppress(KeyboardInterrupt), house(DIRECTORY) as opened:
        _serve(opened, api_port)
    sys.stderr.write("sam local: stopped\n")
    return 0


def _port(text: str) -> int:
    # Lambda's Invoke has the next one.
    if not text.isdecimal() or not 0 < int(text) < 65535:
        raise LocalError(f"PORT is {text!r}: name one from 1 to 65534")
    return int(text)


def _serve(opened: House, api_port: int) -> None:
    if opened.joined:
        raise LocalError(f"{DIRECTORY} is in use by make sam-api or make invoke-…: end that first")
    with command.servers(opened, api_port=api_port, lambda_port=api_port + 1) as servers:
        say_all(_where(opened, servers))
        try:
            for line in _lines(servers.logs):
                say(line)
        finally:
            sys.stderr.write("sam local: removing containers\n")


def _where(opened: House, servers: Servers) -> str:
    invoke = f"{servers.lambda_url}/2015-03-31/functions/DispatchFunction/invocations"
    return f"""\
Dovecote by sam local; the first call of a function takes some 10 s, Ctrl-C stops all.
  HTTP API    {servers.api_url}/notifications
  Lambda      {servers.lambda_url}
  PostgreSQL  {opened.database_url}
  Provider    {opened.provider_url}/_provider/ledger
The schedule does not fire here. Deliver what is due by
  curl -d '{{}}' {invoke}
or by make invoke-schedule in another terminal, which uses this database and provider.
"""


def _lines(logs: Sequence[Path]) -> Iterator[str]:
    """Give the lines that are written to the logs, for ever."""
    with ExitStack() as exits:
        files = [(log.stem, exits.enter_context(log.open(errors="replace"))) for log in logs]
        while True:
            for name, file in files:
                yield from (f"{name}  {line}" for line in _news(file))
            time.sleep(LOOK_SECONDS)


def _news(file: TextIO) -> list[str]:
    text = COLOUR.sub("", file.read())
    return [line for line in text.splitlines() if line.strip()]


if __name__ == "__main__":
    sys.exit(program(main))
