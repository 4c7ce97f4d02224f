"""Start the stack, say what runs where, and end it when asked to."""

import asyncio
import json
import signal
import sys
from contextlib import ExitStack, suppress

import aiohttp
import psycopg

from local.intrinsic import TemplateError
from local.playground import push_targets
from local.postgres import ServerError
from local.provider import Journal, JournalError, Provider
from local.run import settings
from local.run.holding import HeldError, Tell, holding
from local.run.settings import SettingError, Settings
from local.stack import ROOT, Options, Stack, StackError
from operate.terminal import say

TROUBLE = (
    HeldError,
    JournalError,
    ServerError,
    SettingError,
    StackError,
    TemplateError,
    psycopg.Error,
    OSError,
)
# What SIGKILL left of a PostgreSQL may take this long to write down what it knew.
LOCK_SECONDS = 20


def foreground() -> int:
    """Run the stack until SIGINT or SIGTERM; return the exit code."""
    try:
        here = settings.read()
        provider = Provider()
        with ExitStack() as kept:
            tell = kept.enter_context(holding(here.directory))
            kept.enter_context(Journal(here.directory / "provider.jsonl", provider))
            asyncio.run(_run(here, provider, tell))
    except TROUBLE as error:
        say(f"run: {_line(error)}", sys.stderr)
        return 1
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


async def _run(here: Settings, provider: Provider, tell: Tell) -> None:
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
        _say("Stopping.")
        running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    _say("Stopped. The data is kept, and the next make run goes on with it.")


async def _serve(here: Settings, provider: Provider, tell: Tell, stop: asyncio.Event) -> None:
    _say("Starting PostgreSQL, the provider and the functions …")
    options = Options(
        directory=here.directory,
        database_url=here.database_url,
        parameters=here.parameters,
        environment={**push_targets(provider, "dovecote-local"), **here.environment},
        tick_seconds=here.tick_seconds,
        api_port=here.port,
        aws_port=here.aws_port,
        page=True,
        lock_seconds=LOCK_SECONDS,
    )
    async with Stack(options, provider) as stack:
        await _register_a_phone(stack.api_url)
        _say(_where(stack, here))
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
            raise StackError(f"{event['rawPath']} was answered {answer.status}")


def _where(stack: Stack, here: Settings) -> str:
    own = "" if here.database_url is None else "  (yours, by DATABASE_URL)"
    return f"""
Dovecote runs on this machine. Nothing of it leaves it.

  Page          {stack.api_url}/
  Console       {stack.api_url}/console
  HTTP API      {stack.api_url}/notifications
  AWS endpoint  {stack.aws_url}  (SES v2, SNS, SQS, Lambda: AWS_ENDPOINT_URL)
  DATABASE_URL  {stack.database_url}{own}
  Logs          {here.directory}/log
  Data          {here.directory}

Dispatch runs every {here.tick_seconds:g} s. Ctrl-C stops everything; the data is kept.
"""


def _say(text: str) -> None:
    for line in text.split("\n"):
        say(line)
