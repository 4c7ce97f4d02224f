"""Start the stack, say what runs where, and end it when asked to; one run a directory."""

import asyncio
import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import aiohttp
import psycopg

from local import LocalError, locked
from local.playground import push_targets
from local.provider import Journal, Provider
from local.run import settings
from local.stack import Options, Stack
from operate import ROOT
from operate.terminal import fail, say_all

Tell = Callable[[Mapping[str, str]], None]


def foreground() -> int:
    """Run the stack until SIGINT or SIGTERM; return the exit code."""
    try:
        here = settings.read()
        provider = Provider()
        with ExitStack() as kept:
            tell = kept.enter_context(holding(here.directory))
            kept.enter_context(Journal(here.directory / "provider.jsonl", provider))
            asyncio.run(_run(here, provider, tell))
    except (LocalError, psycopg.Error, OSError) as error:
        return fail("run", _line(error))
    except KeyboardInterrupt:
        return 130
    return 0


def _line(error: BaseException) -> str:
    line = " ".join(str(error).split())
    if "No module named" in line:
        return f"{line}: run make setup"
    if "PORT" not in line and "take another port" in line:
        return line.replace("take another port", "give another as in PORT=8081 make run")
    return line


async def _run(here: Options, provider: Provider, tell: Tell) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    # Before anything starts: a Ctrl-C in the middle of the start ends it as cleanly.
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    running = asyncio.create_task(_serve(here, provider, tell, stop))
    asked = asyncio.create_task(stop.wait())
    await asyncio.wait([running, asked], return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if stop.is_set():
        say_all("Stopping.")
        running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    say_all("Stopped. The data is kept, and the next make run goes on with it.")


async def _serve(here: Options, provider: Provider, tell: Tell, stop: asyncio.Event) -> None:
    say_all("Starting PostgreSQL, the provider and the functions …")
    environment = {**push_targets(provider, "dovecote-local"), **here.environment}
    async with Stack(replace(here, environment=environment), provider) as stack:
        await _register_a_phone(stack.api_url)
        say_all(_where(stack, here))
        tell({"page": stack.api_url, "aws": stack.aws_url, "database_url": stack.database_url})
        await stop.wait()


async def _register_a_phone(url: str) -> None:
    """Register the phone of events/device.json, so that a push has somewhere to go."""
    event = json.loads((ROOT / "events" / "device.json").read_text())
    async with (
        aiohttp.ClientSession(url) as session,
        session.put(event["rawPath"], data=event["body"]) as answer,
    ):
        if answer.status != 200:
            raise LocalError(f"{event['rawPath']} was answered {answer.status}")


def _where(stack: Stack, here: Options) -> str:
    own = "" if here.database_url is None else "  (yours, by DATABASE_URL)"
    return f"""
Dovecote runs on this machine. Nothing of it leaves it.

  Page          {stack.api_url}/
  HTTP API      {stack.api_url}/notifications
  AWS endpoint  {stack.aws_url}  (SES v2, SNS, SQS, Lambda: AWS_ENDPOINT_URL)
  DATABASE_URL  {stack.database_url}{own}
  Logs          {here.directory}/log
  Data          {here.directory}

Dispatch runs every {here.tick_seconds:g} s. Ctrl-C stops everything; the data is kept.
"""


@contextmanager
def holding(directory: Path) -> Iterator[Tell]:
    """Lock a directory while the context lasts; its run.json gets the given facts."""
    path = directory / "run.json"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        message = f"{directory} cannot be written ({error.strerror}): give LOCAL_DIRECTORY"
        raise LocalError(message) from None
    try:
        if not locked(file):
            raise LocalError(_who(path))
        os.truncate(file, 0)
        yield lambda facts: _write(file, facts)
        os.truncate(file, 0)
    finally:
        os.close(file)


def _write(file: int, facts: Mapping[str, str]) -> None:
    text = json.dumps({**facts, "pid": os.getpid()}, indent=2) + "\n"
    os.truncate(file, 0)
    os.pwrite(file, text.encode(), 0)


def _who(path: Path) -> str:
    try:
        known = json.loads(path.read_text())
    except ValueError:
        return f"a stack is just being started in {path.parent}: wait for it, or stop it"
    return (
        f"a stack runs in {path.parent} already: open {known['page']}, "
        f"or stop it first (kill {known['pid']})"
    )
