"""Printed lines hold no character that a terminal would act on or hide."""

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from operate import finding
from operate.terminal import printable, say

ESCAPED = {
    "an escape sequence": ("\x1b[2K\x1b[1Aok", "\\x1b[2K\\x1b[1Aok"),
    "the CSI of C1": ("\x9b2K", "\\x9b2K"),
    "a bell, a backspace and DEL": ("\a\b\x7f", "\\x07\\x08\\x7f"),
    "a carriage return and a line feed": ("ok\r\n!!", "ok\\r\\n!!"),
    "a line separator": ("a\u2028b", "a\\u2028b"),
    "a right-to-left override": ("a\u202egnp.exe", "a\\u202egnp.exe"),
    "an isolate": ("\u2066a\u2069", "\\u2066a\\u2069"),
    "a zero-width space and joiner": ("a\u200b\u200db", "a\\u200b\\u200db"),
    "a byte order mark and a soft hyphen": ("\ufeffa\xad", "\\ufeffa\\xad"),
    "a tag character": ("a\U000e0041", "a\\U000e0041"),
    "a no-break space": ("a\xa0b", "a\\xa0b"),
    "half of a surrogate pair": ("a\ud800", "a\\ud800"),
}
PLAIN = (
    "",
    "order-1234",
    "Z\u00f6e \u2014 \u2026",
    "\u4f8b\u3048",
    "\U0001f54a",
    "C:\\new",
    "e\u0301",
)


@pytest.mark.parametrize("name", ESCAPED)
def test_a_character_that_is_not_printable_is_escaped(name: str) -> None:
    text, shown = ESCAPED[name]
    assert printable(text) == shown


@pytest.mark.parametrize("text", PLAIN)
def test_text_is_printed_as_it_is(text: str) -> None:
    assert printable(text) == text


@given(st.text(st.characters(codec=None)))
@example("\x1b]0;title\x07")
def test_whatever_is_said_is_one_printable_line(text: str) -> None:
    printed = io.StringIO()
    say(text, printed)
    line = printed.getvalue()
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    assert printable(line[:-1]) == line[:-1]


def test_each_part_of_a_finding_is_escaped_and_its_lines_stay() -> None:
    found = finding.wrong("a\x1b[2K", "b\nok  all is well", details=("c\u202e", "d\r"))
    assert str(found) == "!!  a\\x1b[2K \u2014 b\\nok  all is well\n      c\\u202e\n      d\\r"
