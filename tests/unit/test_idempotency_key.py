"""The Idempotency-Key header: one structured-field string (RFC 9651), or a bare key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovecote.core.problems import Malformed
from dovecote.submit.idempotency_key import read


@pytest.mark.parametrize(
    ("header", "key"),
    [
        (None, None),
        ("", None),
        ("  ", None),
        ('""', ""),
        ("k-1", "k-1"),
        (" k-1\t", "k-1"),
        ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        # a bare key is what it is
        ("a;b=1", "a;b=1"),
        ('k"1"', 'k"1"'),
        ("a\\b", "a\\b"),
        ("k-\u00fc", "k-\u00fc"),
        # strings
        ('"k-1"', "k-1"),
        (' "k-1" ', "k-1"),
        ('"a,b"', "a,b"),
        ('"a;b"', "a;b"),
        (r'"say \"hi\""', 'say "hi"'),
        (r'"C:\\keys"', r"C:\keys"),
        (r'"\\\\"', "\\\\"),
        (r'"\\\""', '\\"'),
        # parameters
        ('"k";a', "k"),
        ('"k";a;b', "k"),
        ('"k"; a=1', "k"),
        ('"k";a=-1.5;b=?1;c=token;d="x,\\"y";e=:aGk=:', "k"),
        ('"k";a=@1659578233;*b=%"f%c3%bc"', "k"),
        ('"k";a-b.c_d*=*/:x', "k"),
    ],
)
def test_a_key_is_read(header: str | None, key: str | None) -> None:
    assert read(header) == key


@pytest.mark.parametrize(
    "header",
    [
        # sent twice
        "a,b",
        "a,a",
        "a, b",
        "a,",
        ",a",
        ",",
        'a,"b"',
        '"a","b"',
        '"a", "b"',
        '"a","a"',
        '"a",b',
        '"a",',
        '"a";p=1,"b"',
        # no string
        '"',
        '"a',
        '"a"b',
        '"a" b',
        '"a" ;p=1',
        r'"a\b"',
        r'"a\"',
        r'"\u0041"',
        '"\u00fc"',
        '"a\tb"',
        '"a\x7fb"',
        '"a\nb"',
        '"a"b"',
        # no parameters
        '"a";',
        '"a";A=1',
        '"a";1=1',
        '"a";p=',
        '"a";p =1',
        '"a";p= 1',
        '"a";p="b',
        '"a";p=?2',
        '"a";p=1.',
        '"a";p=1.2345',
        '"a";p=@1.5',
        '"a";p=(1 2)',
    ],
)
def test_what_is_no_key_is_malformed(header: str) -> None:
    with pytest.raises(Malformed):
        read(header)


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_any_printable_key_can_be_quoted(key: str) -> None:
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    assert read(f'"{escaped}"') == key


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_two_headers_are_one_key_unless_a_string_spans_both(first: str, second: str) -> None:
    if '"' not in first + second:
        with pytest.raises(Malformed):
            read(f"{first},{second}")


def test_a_long_header_is_read_in_no_time() -> None:
    for header in ('"' + "\\" * 9000, '"' + "a" * 9000, '"a"' + ";a=a" * 3000 + ",", '"a";' * 3000):
        with pytest.raises(Malformed):
            read(header)
