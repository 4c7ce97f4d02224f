"""Lines for a terminal: text alone, nothing that the terminal would act on."""

import json
import sys
from typing import Any, TextIO


def printable(text: str) -> str:
    r"""Return a line with every character escaped that has no glyph of its own, as \x1b.

    Those are controls (C0, DEL, C1), line and paragraph separators, bidirectional overrides and
    other invisible format characters, blanks that look like a space, private use and lone
    surrogates: with them, data could move the cursor, reorder a line, or look like other data.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _escaped(one) for one in text)


def say(line: str, file: TextIO | None = None) -> None:
    """Print a line, and nothing but a line."""
    print(printable(line), file=file or sys.stdout, flush=True)


def say_all(text: str) -> None:
    """Print each line of a text."""
    for line in text.split("\n"):
        say(line)


def say_json(document: Any) -> None:
    """Print a document as JSON in ASCII, which holds no character that a terminal acts on."""
    print(json.dumps(document, indent=2), flush=True)


def fail(program: str, why: object, code: int = 1) -> int:
    """Print in one line why a program ends, and return its exit code."""
    say(f"{program}: {' '.join(str(why).split())}", sys.stderr)
    return code


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
