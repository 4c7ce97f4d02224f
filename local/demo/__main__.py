"""Run the demo; exits 0 only if all of it went as events/demo.yaml and the design say."""

import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import psycopg

from local import LocalError
from local.demo import report
from local.demo.case import Case, Sent, read_cases, send_all
from local.demo.routes import Route, database_of_its_own, disagreements, ended_routes, missing
from local.playground import SETTINGS, TICK_SECONDS, push_targets
from local.provider import Provider
from local.stack import Options, Stack
from operate import ROOT
from operate.terminal import fail

END_SECONDS = 40


def main() -> int:
    """Run the demo and return its exit code."""
    try:
        given = os.environ.get("DATABASE_URL")
        database = database_of_its_own(given) if given else nullcontext()
        with tempfile.TemporaryDirectory(prefix="dovecote-demo-") as directory, database as url:
            return asyncio.run(_demo(Path(directory), url))
    except (LocalError, psycopg.Error) as error:
        return fail("demo", error)
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130


async def _demo(directory: Path, database_url: str | None) -> int:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    began = time.monotonic()
    provider = Provider()
    options = Options(
        directory=directory,
        database_url=database_url,
        environment=SETTINGS | push_targets(provider, "dovecote-demo"),
        tick_seconds=TICK_SECONDS,
        durable=False,
    )
    async with Stack(options, provider) as stack:
        report.show_stack(stack, time.monotonic() - began)
        sent = await send_all(read_cases(ROOT / "events"), stack.api_url, provider)
        report.show_requests(sent)
        routes = await ended_routes(stack.database_url, within=END_SECONDS)
        # A last tick: whatever would still be sent twice shows in the ledger.
        await asyncio.sleep(TICK_SECONDS)
        return _conclude(sent, routes, provider, time.monotonic() - began)


def _conclude(
    sent: list[tuple[Case, Sent]],
    routes: Sequence[Route],
    provider: Provider,
    seconds: float,
) -> int:
    ledger = provider.ledger
    report.show_routes(sent, routes)
    report.show_retries(sent, routes, ledger)
    report.show_dead_letters(sent, routes)
    report.show_acceptances(ledger)
    wrong = [*disagreements(routes, ledger), *missing(sent, routes)]
    report.show_verdict(wrong, routes, ledger, seconds)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
