"""JSON that any two readers read alike, or Malformed."""

import json
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovecote.core.parsing import strict_json
from dovecote.core.problems import Malformed

digits = st.builds(
    "{}e{}".format,
    st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?", fullmatch=True),
    st.integers(-(10**30), 10**30),
)
in_range = st.from_regex(
    r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?", fullmatch=True
)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_characters="\0")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    "body",
    [
        # not JSON
        b"",
        b" ",
        b"{",
        b'{"a": 1,}',
        b"{'a': 1}",
        b'{"a": 1} x',
        b'{"a": 1}{"a": 1}',
        b"nul",
        b"// no\n{}",
        b'"\n"',
        b"[01]",
        b"[1.]",
        b"[+1]",
        b"[0x10]",
        # numbers that are none
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        # a member that stands twice, at any depth and however it is spelt
        b'{"a": 1, "a": 1}',
        b'{"a": [{"b": {"c": 1, "c": 2}}]}',
        b'{"a": 1, "\\u0061": 2}',
        # half of a surrogate pair, in values, keys and lists
        b'{"a": "\\ud800"}',
        b'{"a": "x\\udfffy"}',
        b'{"\\ud83d": 1}',
        b'["\\ude00\\ud83d"]',
        # NUL
        b'{"a": "\\u0000"}',
        b'{"\\u0000": 1}',
        b'{"a": [[{"b": "x\\u0000y"}]]}',
        b'{"a": "\x00"}',
        b"\x00",
        # not UTF-8
        b'{"a": "\xff"}',
        b'{"a": "\xc3"}',
        b'{"a": "\xc0\x80"}',
        b'{"a": "\xed\xa0\x80"}',
        '{"a": 1}'.encode("utf-16"),
        '{"a": 1}'.encode("utf-16-le"),
        '{"a": "ü"}'.encode("latin-1"),
        # a byte order mark
        b'\xef\xbb\xbf{"a": 1}',
        # nested deeper than any reader goes
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        # and deeper than anyone needs
        b"[" * 65 + b"]" * 65,
        b'{"a":' * 65 + b"{}" + b"}" * 65,
        # numbers out of every range
        b"[1e401]",
        b"[-1E-401]",
        b"[" + b"9" * 402 + b"]",
        b"[" + b"9" * 900_000 + b"]",
        b"[1e99999999999999999999]",
        b"[1e-99999999999999999999]",
        b"[0e99999999999999999999]",
    ],
    ids=lambda body: ascii(body[:24])[2:-1] + (f"… {len(body)}" if len(body) > 24 else ""),
)
def test_what_two_readers_could_read_differently_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed) as whole:
        strict_json.read(body)
    with pytest.raises(Malformed) as in_parts:
        strict_json.inspect(strict_json.read_uninspected(body))
    assert in_parts.value.detail == whole.value.detail


def test_a_flaw_is_in_the_part_where_it_stands_alone() -> None:
    good, bad, other = strict_json.read_uninspected(b'[{"a": 1.5}, {"a": [{"b": NaN}]}, [1]]')
    strict_json.inspect(good)
    strict_json.inspect(other)
    assert good == {"a": Decimal("1.5")}
    with pytest.raises(Malformed, match="NaN"):
        strict_json.inspect(bad)


@pytest.mark.parametrize("levels", [1, 63, 64])
def test_what_is_nested_up_to_64_levels_is_read(levels: int) -> None:
    strict_json.read(b"[" * levels + b"]" * levels)


@pytest.mark.parametrize(
    ("body", "document"),
    [
        (b"null", None),
        (b" \r\n\t[] ", []),
        (b'{"a": {"a": 1}}', {"a": {"a": 1}}),
        (b'["\\ud83d\\ude00"]', ["\N{GRINNING FACE}"]),
        ('["\N{GRINNING FACE} ü"]'.encode(), ["\N{GRINNING FACE} ü"]),
        (b'["\\u0001\\u2028"]', ["\x01\u2028"]),
    ],
)
def test_plain_json_is_read(body: bytes, document: Any) -> None:
    assert strict_json.read(body) == document
    assert strict_json.read_uninspected(body) == document


def test_a_syntax_error_is_told_with_its_place() -> None:
    with pytest.raises(Malformed, match="line 2 column 3"):
        strict_json.read(b'{"a": 1,\n  b}')


@pytest.mark.parametrize(
    "number",
    [
        "0",
        "1.50",
        "100.00",
        "-0.10",
        "0.1000000000000000000000001",
        "123456789012345678901234567890",
        "-9223372036854775808",
        "18446744073709551616",
        "9" * 300,
    ],
    ids=lambda number: number[:30],
)
def test_a_number_keeps_its_digits_through_store_and_back(number: str) -> None:
    text = strict_json.text(strict_json.read(number.encode()))
    assert text == number
    assert strict_json.text(strict_json.reread(text)) == number


@pytest.mark.parametrize("number", ["1E400", "1e-400", "1.5E5", "-2.50e+3"])
def test_a_number_with_an_exponent_keeps_digits_and_value(number: str) -> None:
    text = strict_json.text(strict_json.read(number.encode()))
    assert Decimal(text).as_tuple() == Decimal(number).as_tuple()
    assert strict_json.reread(text) == Decimal(number)


@given(number=in_range)
def test_any_number_in_range_keeps_digits_and_value(number: str) -> None:
    text = strict_json.text(strict_json.read(number.encode()))
    sent, stored = Decimal(number), Decimal(text)
    assert (stored, stored.as_tuple().digits) == (sent, sent.as_tuple().digits)
    assert stored.as_tuple().exponent == sent.as_tuple().exponent
    assert strict_json.reread(text) == sent


@given(number=digits)
def test_a_number_of_any_size_is_read_or_malformed(number: str) -> None:
    with suppress(Malformed):
        strict_json.read(number.encode())


@given(body=st.binary())
def test_any_bytes_are_read_or_malformed(body: bytes) -> None:
    with suppress(Malformed):
        strict_json.read(body)


@given(document=documents)
def test_what_is_written_is_what_was_read(document: Any) -> None:
    try:
        read = strict_json.read(json.dumps(document).encode())
    except Malformed:
        return
    assert read == document
    assert strict_json.reread(strict_json.text(read)) == document


@given(document=documents)
def test_canonical_json_does_not_depend_on_the_order_of_members(document: Any) -> None:
    try:
        read = strict_json.read(json.dumps({"a": document, "b": 1, "c": document}).encode())
    except Malformed:
        return
    turned = dict(reversed(read.items()))
    assert strict_json.canonical(read) == strict_json.canonical(turned)
