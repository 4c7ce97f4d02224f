"""The canary: a word that tests plant where something confidential is, and that nothing may tell.

What the builders make holds it, and so do the bodies that most tests of the API send. Beside it,
the addresses of SES's simulator are heard, which nearly all tests mail to, and tokens of one
letter.
Every test is held to it, by tests/conftest.py and by tests/functions.py.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

CANARY = "canary"
CONFIDENTIAL = re.compile(rf"{CANARY}|@simulator\.amazonses\.com|\b(\w)\1{{63}}\b", re.IGNORECASE)

# Where the store keeps what a provider said, in words.
TEXTS = (
    "select last_error from dovecote.notification_routes",
    "select concat_ws(' ', reason, error) from dovecote.notification_dead_letters",
    "select concat_ws(' ', reason, detail) from dovecote.notification_events",
    "select concat_ws(' ', resource, error) from dovecote.channel_state",
)


def heard(text: str) -> bool:
    """Tell whether a text repeats what is confidential."""
    return CONFIDENTIAL.search(text) is not None


def overheard(directory: Path) -> Iterator[str]:
    """Yield the lines that repeat it in the logs of all stacks that ran below a directory."""
    for path in directory.rglob("log/*Function.log"):
        lines = path.read_text(errors="replace").splitlines()
        yield from (f"{path}: {line}" for line in lines if heard(line))


def kept(connection: psycopg.Connection[Any]) -> list[str]:
    """Return every error, reason and detail that a database holds."""
    return [
        text for query in TEXTS for (text,) in connection.execute(query.encode()).fetchall() if text
    ]
