"""Invoke one event of events/ by sam local: python -m local.sam.invoke email."""

import signal
import sys
import time
from pathlib import Path

import psycopg

from local.intrinsic import TemplateError
from local.postgres import ServerError
from local.provider import JournalError
from local.sam import ROOT, command, database, docker, event, ledger, report
from local.sam.errors import SamError
from local.sam.event import Event
from local.sam.house import House, house
from operate.terminal import say

DIRECTORY = ROOT / ".local" / "sam"
TROUBLE = (JournalError, SamError, ServerError, TemplateError, psycopg.Error, OSError)


def main(arguments: list[str]) -> int:
    """Invoke an event, print what came of it, and return the exit code."""
    end_as_by_ctrl_c()
    try:
        if len(arguments) != 1:
            raise SamError(f"name one event: {', '.join(event.names())}")
        wanted = event.read_event(arguments[0])
        docker.require()
        with house(DIRECTORY) as opened:
            return _invoke(opened, wanted)
    except TROUBLE as error:
        say(f"sam local: {' '.join(str(error).split())}", sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def end_as_by_ctrl_c() -> None:
    """Clean up on SIGTERM too, and on SIGINT even where a shell's `&` has it ignored."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def _invoke(opened: House, wanted: Event) -> int:
    began = time.monotonic()
    log = Path(opened.directory, "invoke.log")
    where = "the house of make sam-api" if opened.joined else "a house of its own"
    sys.stderr.write(f"sam local invoke {wanted.function}, events/{wanted.name}.json, {where}\n")
    ledger.give(opened, wanted.orders)
    before = len(ledger.attempts(opened))
    document = _document(opened, wanted)
    answer = command.invoke(opened, wanted.function, document, log)
    report.show_answer(wanted.function, answer)
    report.show_log(log.read_text(errors="replace"))
    report.show_attempts(ledger.attempts(opened)[before:])
    report.say(["", f"{time.monotonic() - began:.0f} s; all that sam said is in {_short(log)}"])
    return 0 if command.failure(answer) is None else 1


def _document(opened: House, wanted: Event) -> event.Document:
    """Return the event, about the newest notification where it is about one."""
    newest = database.newest_notification(opened.database_url) if wanted.refers else None
    return wanted.document if newest is None else wanted.about(newest)


def _short(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
