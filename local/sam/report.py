"""What an invocation prints: the answer, the function's log, and what the provider got."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from local.provider.ledger import CHANNELS
from local.sam.command import failure
from local.sam.ledger import Row
from operate import terminal

# What every line of the log has.
SKIPPED = ("level", "location", "timestamp", "service", "request_id", "message")


def show_answer(function: str, answer: Any) -> None:
    """Show an answer: of HTTP with its status and headers, or what else the function returned."""
    if (why := failure(answer)) is not None:
        _say(f"{function} failed: {why}")
        for line in answer.get("stackTrace", []):
            _say(line.rstrip())
    elif isinstance(answer, dict) and "statusCode" in answer:
        _say(f"{function} answered {answer['statusCode']}")
        for name, value in answer.get("headers", {}).items():
            _say(f"  {name}: {value}")
        _say(_pretty(json.loads(answer.get("body") or "null")))
    else:
        _say(f"{function} returned")
        _say(_pretty(answer))


def show_log(text: str) -> None:
    """Show the lines that the function wrote, of all that is in sam's log."""
    lines = [line for line in text.splitlines() if line.startswith("{")]
    if lines:
        _say("")
        _say("Log")
    for line in lines:
        _say(f"  {_logged(line)}")


def show_attempts(rows: Sequence[Row]) -> None:
    """Show each request to send that the provider received, and what it accepted."""
    _say("")
    _say("Provider")
    for row in rows:
        _say(f"  {_channel(row)} to {_target(row)}: {row['outcome']}{_content(row)}")
    if not rows:
        _say("  it was sent nothing")


def say(lines: Iterable[str]) -> None:
    """Print lines."""
    for line in lines:
        _say(line)


def _logged(line: str) -> str:
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    if "_aws" in entry:
        return "metrics"
    more = ", ".join(f"{name} {value}" for name, value in entry.items() if name not in SKIPPED)
    return f"{entry.get('level', '')} {entry.get('message', '')}: {more}".strip()


def _channel(row: Row) -> str:
    return CHANNELS[row["service"]]


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


def _say(text: str) -> None:
    for line in text.split("\n"):
        terminal.say(line)
