"""JSON and addresses by the letter of their RFCs: what is to be taken, and what refused.

Each document stands as the value of a payload's member, and alone as a body.
"""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dovecote.core.parsing import strict_json
from local.provider import Running
from tests.functions import Functions, environment, run_functions
from tests.integration.test_http import assert_problem
from tests.naughty import KIND, free_catalog
from tests.sending import recipient

Connection = psycopg.Connection[Any]


@pytest.fixture
def note(database_url: str, provider: Running, tmp_path: Path) -> Iterator[Functions]:
    """The functions with a kind that takes any payload, and try nothing at once."""
    catalog = free_catalog(tmp_path / "catalog")
    values = environment(database_url, provider.url, catalog, INLINE_ROUTES="0")
    with run_functions(values) as wired:
        yield wired


def around(document: bytes, **changes: str) -> bytes:
    """Return the body of a notification that has the document in its payload."""
    key, recipients = uuid.uuid4().hex, json.dumps([recipient(**changes)])
    head = f'{{"kind": "{KIND}", "idempotency_key": "{key}", "recipients": {recipients}'
    return head.encode() + b', "payload": {"text": ' + document + b"}}"


# RFC 8259: JSON, as few write it.
TAKEN = {
    "literals": b"[true, false, null]",
    "an empty array": b"[]",
    "an empty object": b"{}",
    "an empty string": b'""',
    "an empty name": b'{"": 0}',
    "all whitespace there is": b" \t\n\r[ \t\n\r1 \t\n\r, \t\n\r2 \t\n\r] \t\n\r",
    "zero": b"0",
    "minus zero": b"-0",
    "minus zero with a fraction": b"-0.0",
    "an exponent": b"1E22",
    "a signed exponent": b"[1e+2, 1e-2, 123.456e78, 0e1]",
    "more digits than a double has": b"3.141592653589793238462643383279502884197",
    "an integer past 64 bits": b"18446744073709551616",
    "a long integer": b"1" * 300,
    "every short escape": rb'"\"\\\/\b\f\n\r\t"',
    "an escaped letter": rb'"\u0041\u00e9\u20AC"',
    "a surrogate pair": rb'"\uD83D\udd4a"',
    "a non-character": rb'"\uFFFF\uFDD0"',
    "DEL, which may stand unescaped": b'"\x7f"',
    "U+2028 and U+2029": b'"\xe2\x80\xa8\xe2\x80\xa9"',
    "the last code point": b'"\xf4\x8f\xbf\xbf"',
    "a BOM within a string": b'"\xef\xbb\xbf"',
    "names that differ in form alone": b'{"\xc3\xa9": 1, "e\xcc\x81": 2}',
    "names of a language's own": b'{"__proto__": 1, "constructor": {"prototype": 2}}',
    "sixty levels": b"[" * 60 + b"]" * 60,
}
# No JSON, or two readings of it.
REFUSED = {
    "nothing": b"",
    "whitespace of Unicode": b"\xc2\xa01",
    "a form feed": b"\x0c1",
    "a BOM before it": b"\xef\xbb\xbf1",
    "a comma too many": b"[1,]",
    "a comma too many in an object": b'{"a": 1,}',
    "a comma alone": b"[,]",
    "no comma": b"[1 2]",
    "no colon": b'{"a" 1}',
    "two colons": b'{"a":: 1}',
    "no end": b"[1",
    "no end of a string": b'"a',
    "two ends": b"[1]]",
    "two documents": b"1 2",
    "a name without quotes": b"{a: 1}",
    "a name that is a number": b"{1: 1}",
    "single quotes": b"'a'",
    "a comment": b"[1 /* one */]",
    "a comment to the end of its line": b"1 // one\n",
    "a literal in capitals": b"TRUE",
    "a literal cut short": b"[nul]",
    "undefined": b"undefined",
    "NaN": b"NaN",
    "Infinity": b"[-Infinity]",
    "a leading zero": b"012",
    "a leading plus": b"+1",
    "a leading point": b".5",
    "a trailing point": b"1.",
    "minus alone": b"-",
    "an exponent without digits": b"1e",
    "an exponent with a fraction": b"1e1.5",
    "hexadecimal": b"0x1F",
    "digits of another script": b"\xef\xbc\x91",
    "an underscore": b"1_000",
    "an imaginary number": b"1j",
    "a tab in a string": b'"\t"',
    "a line break in a string": b'"a\nb"',
    "NUL in a string": b'"\x00"',
    "NUL, escaped": rb'"\u0000"',
    "NUL, escaped in a name": rb'{"\u0000": 1}',
    "an escape that is none": rb'"\x41"',
    "an escape that is cut short": rb'"\u00"',
    "an escape in capitals": rb'"\U0041"',
    "half of a surrogate pair": rb'"\uD800"',
    "the other half": rb'"\uDC00\uD800"',
    "a surrogate in UTF-8": b'"\xed\xa0\x80"',
    "UTF-8 that is longer than it need be": b'"\xc0\xaf"',
    "UTF-8 past the last code point": b'"\xf4\x90\x80\x80"',
    "UTF-8 that is cut short": b'"\xe2\x82"',
    "a byte that begins nothing": b'"\x80"',
    "Latin-1": b'"\xe9"',
    "UTF-16": '"a"'.encode("utf-16"),
    "UTF-16 without a BOM": '"a"'.encode("utf-16-le"),
    "a member twice": b'{"a": 1, "a": 1}',
    "a member twice, once escaped": rb'{"a": 1, "\u0061": 2}',
    "1,000 levels": b"[" * 1000 + b"]" * 1000,
    "100,000 brackets": b"[" * 100_000,
    "100,000 objects": b'{"a":' * 100_000,
    "a number that no double reaches": b"1e999",
    "a number closer to zero than any double": b"1e-999",
    "an exponent of many digits": b"1e" + b"9" * 5000,
}


def test_json_of_any_kind_is_taken_and_stored_as_it_was_sent(
    note: Functions, connection: Connection
) -> None:
    for name, document in TAKEN.items():
        answer = note.post(around(document))
        assert answer.status == 202, name
        stored = connection.execute(
            "select payload from dovecote.notification_payloads where notification_id = %s",
            [answer.body["notification_id"]],
        ).fetchone()
        assert stored is not None
        assert strict_json.read(stored[0].encode()) == {"text": strict_json.read(document)}, name


def test_what_is_no_json_is_a_400(note: Functions, connection: Connection) -> None:
    for name, document in REFUSED.items():
        for body in (around(document), document):
            answer = note.post(body)
            assert answer.status == 400, name
            assert_problem(answer, 400)
    stored = connection.execute("select count(*) from dovecote.notifications").fetchone()
    assert stored == (0,)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"/dead-letters/{uuid.uuid4()}/redrive"),
        ("PUT", "/devices"),
    ],
    ids=["a redrive", "a device"],
)
def test_no_other_body_is_the_servers_fault(note: Functions, method: str, path: str) -> None:
    for name, document in {**TAKEN, **REFUSED}.items():
        answer = note.call(method, path, document)
        assert 400 <= answer.status < 500, name
        assert_problem(answer, answer.status)


# RFC 5321, with the domains of RFC 1035 and, in their ASCII form, of RFC 5891.
