"""Invoke one event of events/ by sam local, and print what came of it.

python -m local.sam.invoke email
"""

import json
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psycopg

from local import LocalError
from local.provider.ledger import CHANNELS
from local.sam import command, docker, event, provider
from local.sam.event import Event
from local.sam.house import House, house, newest_notification
from local.sam.provider import Row
from operate import ROOT
from operate.terminal import fail, say_all

DIRECTORY = ROOT / ".local" / "sam"
# What every line of the log has.
SKIPPED = ("level", "location", "timestamp", "service", "request_id", "message")


def main(arguments: list[str]) -> int:
    """Invoke an event, print what came of it, and return the exit code."""
    if len(arguments) != 1:
        raise LocalError(f"name one event: {', '.join(event.names())}")
    wanted = event.read_event(arguments[0])
    docker.require()
    with house(DIRECTORY) as opened:
        return _invoke(opened, wanted)


def program(main: Callable[[], int]) -> int:
    """Run a program that cleans up at a signal, and return its exit code.

    On SIGTERM too, and on SIGINT even where a shell's `&` has it ignored.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        return main()
    except (LocalError, psycopg.Error, OSError) as error:
        return fail("sam local", error)
    except KeyboardInterrupt:
        return 130


def _invoke(opened: House, wanted: Event) -> int:
    began = time.monotonic()
    log = Path(opened.directory, "invoke.log")
    where = "the house of make sam-api" if opened.joined else "a house of its own"
    sys.stderr.write(f"sam local invoke {wanted.function}, events/{wanted.name}.json, {where}\n")
    provider.give(opened.provider_url, wanted.orders)
    before = len(provider.attempts(opened.provider_url))
    document = _document(opened, wanted)
    answer = command.invoke(opened, wanted.function, document, log)
    show_answer(wanted.function, answer)
    show_log(log.read_text(errors="replace"))
    show_attempts(provider.attempts(opened.provider_url)[before:])
    say_all(f"\n{time.monotonic() - began:.0f} s; all that sam said is in {_short(log)}")
    return 0 if command.failure(answer) is None else 1


def _document(opened: House, wanted: Event) -> event.Document:
    """Return the event, about the newest notification where it is about one."""
    newest = newest_notification(opened.database_url) if wanted.refers else None
    return wanted.document if newest is None else wanted.about(newest)


def _short(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def show_answer(function: str, answer: Any) -> None:
    """Show an answer: of HTTP with its status and headers, or what else the function returned."""
    if (why := command.failure(answer)) is not None:
        say_all(f"{function} failed: {why}")
        for line in answer.get("stackTrace", []):
            say_all(line.rstrip())
    elif isinstance(answer, dict) and "statusCode" in answer:
        say_all(f"{function} answered {answer['statusCode']}")
        for name, value in answer.get("headers", {}).items():
            say_all(f"  {name}: {value}")
        say_all(_pretty(json.loads(answer.get("body") or "null")))
    else:
        say_all(f"{function} returned")
        say_all(_pretty(answer))


def show_log(text: str) -> None:
    """Show the lines that the function wrote, of all that is in sam's log."""
    lines = [line for line in text.splitlines() if line.startswith("{")]
    if lines:
        say_all("\nLog")
    for line in lines:
        say_all(f"  {_logged(line)}")


def show_attempts(rows: Sequence[Row]) -> None:
    """Show each request to send that the provider received, and what it accepted."""
    say_all("\nProvider")
    for row in rows:
        say_all(f"  {CHANNELS[row['service']]} to {_target(row)}: {row['outcome']}{_content(row)}")
    if not rows:
        say_all("  it was sent nothing")


def _logged(line: str) -> str:
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    if "_aws" in entry:
        return "metrics"
    more = ", ".join(f"{name} {value}" for name, value in entry.items() if name not in SKIPPED)
    return f"{entry.get('level', '')} {entry.get('message', '')}: {more}".strip()


def _target(row: Row) -> str:
    """Return an address, or of an ARN what tells it from others."""
    return str(row["target"]).rpartition(":")[2]


def _content(row: Row) -> str:
    content = row["content"]
    if content is None:
        return ""
    return f", {content['subject'] if 'subject' in content else content['payload']}"


def _pretty(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(program(lambda: main(sys.argv[1:])))
