"""Error texts hold no recipient, no token and nothing of the payload."""

import json
import re
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dovecote import strict_json
from dovecote.model import Claim
from dovecote.redaction import MAX_LENGTH, scrubbed
from tests.unit.examples import ANN, a_claim

ENDPOINT = "arn:aws:sns:us-east-1:123456789012:endpoint/GCM/shop/0f1e2d3c-0000-4000-8000-00000001"
TOKEN = "dGhpcyBpcyBhIGRldmljZSB0b2tlbg0:APA91bHun4MxP5egoKMwt2KZFBaFUH-1RYqx_" * 2
PLACEHOLDERS = "<hidden> <address> <endpoint> <token>"


def claim_of(payload: Any, **changes: Any) -> Claim:
    """Return a claim that holds this payload, and no user or address unless named."""
    known = {"user_id": None, "resolved_email": None} | changes
    return a_claim(payload=strict_json.text(payload), **known)


def bare(text: str) -> str:
    """Scrub with nothing in confidence."""
    return scrubbed(text, claim_of({}))


@pytest.mark.parametrize(
    "address",
    [
        ANN,
        ANN.upper(),
        "bob@example.com",
        "o'brien@example.com",
        "j\u00f6rg@b\u00fccher.example",
        "ann+tag=x/y%z@sub.example.co.uk",
        "ann@localhost",
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "Address {} is not verified",
        "to=<{}>",
        'to "{}", failed',
        "to '{}'",
        "failed:{}; again",
        "({})",
        "mailto:{}.",
    ],
)
def test_no_address_is_left_whole_or_in_part(text: str, address: str) -> None:
    left = scrubbed(text.format(address), claim_of({}, resolved_email=address))
    assert address not in left
    assert "@" not in left
    assert not re.search(r"(?i)\b(ann|bob|o|brien|j\u00f6rg)\b", left)


def test_an_address_is_said_to_be_one() -> None:
    assert bare(f"Email address {ANN} is not verified") == (
        "Email address <address> is not verified"
    )


def test_an_endpoint_is_hidden_and_an_application_is_not() -> None:
    assert bare(f"Endpoint {ENDPOINT} is disabled") == "Endpoint <endpoint> is disabled"
    application = "arn:aws:sns:us-east-1:123456789012:app/GCM/shop"
    assert bare(f"no {application}") == f"no {application}"


@pytest.mark.parametrize(
    "token", [TOKEN, "0123456789abcdef" * 4, "A" * 20 + "1" + "b" * 30, "x1" * 500]
)
def test_a_long_token_is_hidden(token: str) -> None:
    assert bare(f"token {token} is bad") == "token <token> is bad"
    assert token not in bare(f"token={token}")


def test_what_helps_to_read_an_error_stays() -> None:
    text = (
        "ThrottlingException (429): Maximum sending rate exceeded; request"
        " 0192f6a0-0000-4000-8000-000000000001"
    )
    assert scrubbed(text, a_claim(payload='{"a":true,"b":null,"c":"no","d":42}')) == text


def test_a_word_that_only_holds_a_value_stays() -> None:
    assert scrubbed("annex Annabel", claim_of({"name": "Ann"})) == "annex Annabel"


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        ({"name": "Ann"}, "'Ann' is bad"),
        ({"name": "Ann"}, "ANN is bad"),
        ({"name": "Ann Lee"}, "Ann Lee is bad"),
        ({"name": "J\u00f6rg"}, "J\u00f6rg is bad"),
        ({"name": "(Ann)"}, "is (Ann) bad"),
        ({"name": ".*+?[x"}, "is .*+?[x bad"),
        ({"code": 123456}, "is 123456 bad"),
        ({"code": -123456}, "is -123456 bad"),
        ({"price": 12.5}, "is 12.5 bad"),
        ({"price": Decimal("12.50")}, "is 12.50 bad"),
        ({"long": 10**29}, f"is {10**29} bad"),
        ({"a": [1, {"b": [["Ann"]]}]}, "is Ann bad"),
        ({"a": {"b": {"c": "Ann"}}}, "is Ann bad"),
    ],
    ids=str,
)
def test_a_value_of_the_payload_is_hidden(payload: dict[str, Any], text: str) -> None:
    left = scrubbed(text, claim_of(payload))
    assert "<hidden>" in left
    assert re.sub(r"\W", "", left.replace("<hidden>", "")) in ("isbad", "bad")


@pytest.mark.parametrize(
    ("known", "left"),
    [
        ({"user_id": "user-77"}, "<user>"),
        ({"device_session_id": "user-77"}, "<device>"),
        ({"resolved_email": "user-77"}, "<address>"),
        ({"endpoint": "user-77"}, "<endpoint>"),
        ({"data": '{"name":"user-77"}'}, "<hidden>"),
        ({"payload": '{"name":"user-77"}'}, "<hidden>"),
        # stored text that cannot be read is hidden whole
        ({"data": "user-77"}, "<hidden>"),
    ],
    ids=str,
)
def test_whatever_the_claim_knows_in_confidence_is_hidden(known: dict[str, Any], left: str) -> None:
    assert scrubbed("No user-77 here", a_claim(**known)) == f"No {left} here"


def test_the_longer_of_two_values_goes_first() -> None:
    claim = claim_of({"first": "Ann", "whole": "Ann Lee"})
    assert scrubbed("no Ann Lee", claim) == "no <hidden>"


def test_a_value_that_holds_an_address_is_hidden_whole() -> None:
    note = "ring 555 or write to bob@example.com by Monday"
    assert scrubbed(f"bad note: {note}", claim_of({"note": note})) == "bad note: <hidden>"


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r\n ", "\t", "\x00", "\u2028"])
def test_a_value_that_a_provider_broke_over_two_lines_is_hidden(line_break: str) -> None:
    left = scrubbed(f"bad: 1 High{line_break}Street", claim_of({"street": "1 High Street"}))
    assert not re.search(r"High\s+Street", left)


def test_a_value_of_more_than_one_line_is_hidden() -> None:
    note = "first line\nsecond line"
    assert scrubbed(f"bad: {note}", claim_of({"note": note})) == "bad: <hidden>"


@pytest.mark.parametrize(
    "character", ["\x00", "\n", "\r", "\t", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\ud800"]
)
def test_control_characters_become_blanks(character: str) -> None:
    assert bare(f"one{character}two") == "one two"


def test_a_text_is_cut_to_a_size() -> None:
    assert bare("no " * 1000) == ("no " * 1000)[:MAX_LENGTH].strip()


@pytest.mark.parametrize("run", ["x", "x:", "arn:", "ab "])
def test_a_long_text_is_scrubbed_at_once(run: str) -> None:
    started = time.monotonic()
    assert len(bare(run * (30_000 // len(run)))) <= MAX_LENGTH
    assert time.monotonic() - started < 1


def test_a_payload_of_many_values_is_hidden_at_once() -> None:
    values = [f"value-{number}" for number in range(5000)]
    started = time.monotonic()
    assert "value" not in scrubbed("no " + " ".join(values), claim_of({"values": values}))
    assert time.monotonic() - started < 5


words = st.text(min_size=3, max_size=30)
numbers = st.integers(100) | st.decimals("100", "1e9", places=2)
payloads = st.dictionaries(
    st.text(max_size=5), st.recursive(words | numbers, st.lists, max_leaves=6), max_size=4
)
claims = st.builds(claim_of, payloads, user_id=st.none() | words, data=st.just(None))


def values_of(claim: Claim) -> list[str]:
    def leaves(value: Any) -> list[str]:
        if isinstance(value, list):
            return [leaf for part in value for leaf in leaves(part)]
        return [str(value)]

    known = [
        leaf for member in strict_json.reread(claim.payload).values() for leaf in leaves(member)
    ]
    return [*known, *([claim.user_id] if claim.user_id else [])]


@given(claim=claims, around=st.lists(st.text(max_size=10), max_size=4))
def test_no_value_of_a_claim_survives_as_a_whole_word(claim: Claim, around: list[str]) -> None:
    values = [value for value in values_of(claim) if value not in PLACEHOLDERS]
    # What a blank or a placeholder can say by itself says nothing.
    assume(all(value.strip() == value and re.search(r"\w", value) for value in values))
    pieces = [part for pair in zip(around, values, strict=False) for part in pair]
    left = scrubbed(" ".join([*pieces, *values]), claim)
    for value in values:
        assert not re.search(rf"(?<!\w){re.escape(value)}(?!\w)", left)


@given(text=st.text(st.characters()), payload=payloads)
def test_whatever_it_is_given_a_scrubbed_text_can_be_stored(text: str, payload: Any) -> None:
    left = scrubbed(text, claim_of(payload))
    assert len(left) <= MAX_LENGTH
    assert "\x00" not in left
    assert json.dumps(left).encode()
    left.encode("utf-8")


def test_a_payload_of_60_kb_is_hidden_in_less_than_the_time_of_a_send() -> None:
    claim = claim_of({f"key-{n}": f"value-{n}-{'x' * 20}" for n in range(1500)})
    started = time.process_time()
    for _ in range(10):
        scrubbed("InternalFailure (500): the provider is not well", claim)
    assert time.process_time() - started < 0.5
