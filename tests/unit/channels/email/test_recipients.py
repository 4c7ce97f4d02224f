"""The email of a recipient: read, normalised, or refused without repeating it."""

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovecote.core.notification import Recipient
from dovecote.core.problems import Invalid, Problem
from dovecote.submit.submission import parse
from tests.unit.examples import ANN, a_body

emails = st.emails() | st.text(st.characters(), max_size=40) | st.just(ANN)


def recipient(**members: Any) -> Recipient:
    body = a_body(recipients=[{"user_id": "u-1"}, members])
    return parse(body, key=None, traceparent=None).recipients[1]


def faults(**members: Any) -> dict[str, str]:
    """Return the faults of a second recipient with these members, by their pointers."""
    with pytest.raises(Invalid) as caught:
        recipient(**members)
    return {fault.pointer: fault.detail for fault in caught.value.errors}


@pytest.mark.parametrize("email", [5, [ANN], {}], ids=str)
def test_an_email_is_text(email: Any) -> None:
    assert set(faults(email=email)) == {"/recipients/1/email"}


def test_an_email_that_is_null_is_absent() -> None:
    assert recipient(user_id="u-1", email=None) == Recipient(user_id="u-1")


def test_faults_of_the_email_and_other_members_are_found_at_once() -> None:
    assert set(faults(email="ann", locale="../x")) == {
        "/recipients/1/email",
        "/recipients/1/locale",
    }


@pytest.mark.parametrize(
    ("address", "mailed"),
    [
        (ANN, ANN),
        ("o'brien@example.com", "o'brien@example.com"),
        # the domain, and only the domain, in lower case
        ("Ann.Lee@EXAMPLE.com", "Ann.Lee@example.com"),
        # a domain beyond ASCII as DNS has it
        ("ann@b\u00fccher.example", "ann@xn--bcher-kva.example"),
        # a local part of exactly 64
        ("a" * 64 + "@example.com", "a" * 64 + "@example.com"),
    ],
)
def test_an_address_is_mailed_as_it_is_but_for_its_domain(address: str, mailed: str) -> None:
    assert recipient(email=address).address("email") == mailed


@pytest.mark.parametrize(
    "address",
    [
        # none
        "",
        " ",
        "ann",
        "@",
        "ann@",
        "@example.com",
        "ann@@example.com",
        "ann@localhost",
        "ann@[127.0.0.1]",
        "ann@-example.com",
        "ann@example..com",
        "ann@example.com.",
        ".ann@example.com",
        "ann..lee@example.com",
        "ann lee@example.com",
        " ann@example.com",
        "ann@example.com ",
        # two
        "ann@example.com,bob@example.com",
        "ann@example.com, bob@example.com",
        "ann@example.com;bob@example.com",
        "ann@example.com bob@example.com",
        # another header
        "ann@example.com\n",
        "ann@example.com\r\nBcc: bob@example.com",
        "ann\r\n@example.com",
        "ann@exam\rple.com",
        # more than an addr-spec
        "Ann <ann@example.com>",
        "<ann@example.com>",
        "ann(Ann)@example.com",
        "mailto:ann@example.com",
        # a quoted local part
        '"ann"@example.com',
        '"ann lee"@example.com',
        # a local part over 64, a label over 63, an address over 254
        "a" * 65 + "@example.com",
        "ann@" + "e" * 64 + ".com",
        "ann@" + "example." * 40 + "com",
        # a local part beyond ASCII: SES takes none
        "\u00e4nn@example.com",
        "ann\u0301@example.com",
        "\N{FULLWIDTH LATIN SMALL LETTER A}nn@example.com",
        # control characters
        "ann\x01@example.com",
        "ann\x7f@example.com",
        "ann@exam\x1bple.com",
        "ann\u0085@example.com",
        # bidirectional and invisible ones
        "ann\u202e@example.com",
        "\u202aann@example.com",
        "ann@\u202eexample.com",
        "ann@example.com\u200f",
        "ann@exam\u200bple.com",
        "ann@exam\u00adple.com",
        "\ufeffann@example.com",
    ],
    ids=ascii,
)
def test_what_is_no_single_address_is_refused_without_repeating_it(address: str) -> None:
    found = faults(email=address)
    assert set(found) == {"/recipients/1/email"}
    assert len(address.strip()) < 3 or address not in found["/recipients/1/email"]


@pytest.mark.timed
@pytest.mark.parametrize(
    "address",
    [
        "a" * 900_000 + "@example.com",
        "ann@" + "\u00fc." * 300_000 + "com",
        "@" * 900_000,
        "a." * 400_000 + "@example.com",
        '"' * 400_000 + "@example.com",
        "(" * 900_000 + "@example.com",
    ],
    ids=lambda address: ascii(address[:8]),
)
def test_an_address_of_a_mebibyte_is_refused_at_once(address: str) -> None:
    document = json.loads(a_body(recipients=[{"email": address}]))
    body = json.dumps(document, ensure_ascii=False).encode()
    started = time.monotonic()
    with pytest.raises(Invalid):
        parse(body, key=None, traceparent=None)
    assert time.monotonic() - started < 3


@given(address=emails)
def test_an_address_that_is_taken_is_one_line_of_ascii_with_one_at(address: str) -> None:
    with suppress(Problem):
        taken = recipient(email=address).address("email")
        assert taken is not None
        assert taken.isascii()
        assert taken.isprintable()
        assert taken.count("@") == 1
        assert not set(taken) & set(' <>,;:"()')
