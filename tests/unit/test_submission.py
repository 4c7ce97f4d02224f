"""Bytes to a submission, or a problem: every line of bad input that needs no catalog."""

import json
import math
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovecote.core.notification import Recipient, Submission
from dovecote.core.problems import Invalid, Malformed, Problem, TooLarge
from dovecote.submit.submission import parse
from tests.unit.examples import ANN, TRACEPARENT, a_body

KIB = 1024


def parsed(body: bytes | None = None, key: str | None = None, **changes: Any) -> Submission:
    return parse(a_body(**changes) if body is None else body, key=key, traceparent=None)


def faults(**changes: Any) -> dict[str, str]:
    """Return what is wrong with a body, by pointer."""
    with pytest.raises(Invalid) as caught:
        parsed(**changes)
    found = {fault.pointer: fault.detail for fault in caught.value.errors}
    assert len(found) == len(caught.value.errors), "a fault is told twice"
    return found


def faults_of_recipient(**members: Any) -> dict[str, str]:
    return faults(recipients=[{"user_id": "u-0"}, {"user_id": "u-1", **members}])


# What is well.


def test_a_whole_body_is_read() -> None:
    submission = parse(
        a_body(
            recipients=[
                {
                    "user_id": "u-1",
                    "device_session_id": "d-1",
                    "locale": "de",
                    "data": {"first_name": "Ann"},
                }
            ],
            deliver_at="2026-12-01T09:00:00+01:00",
        ),
        key=None,
        traceparent=TRACEPARENT,
    )
    assert submission.kind == "order.shipped"
    assert submission.idempotency_key == "order-1234-shipped"
    assert submission.payload == {"order_id": "1234", "carrier": "DHL"}
    assert submission.payload_text == '{"order_id":"1234","carrier":"DHL"}'
    assert submission.deliver_at == datetime(2026, 12, 1, 8, tzinfo=UTC)
    assert submission.traceparent == TRACEPARENT
    assert submission.recipients == [
        Recipient(
            user_id="u-1",
            device_session_id="d-1",
            locale="de",
            data={"first_name": "Ann"},
        )
    ]


def test_null_members_are_absent_ones() -> None:
    recipient = {"user_id": "u-1", "device_session_id": None, "locale": None}
    submission = parsed(recipients=[recipient | {"data": None}], deliver_at=None)
    assert submission.recipients == [Recipient(user_id="u-1")]
    assert submission.deliver_at is None


def test_numbers_keep_their_digits_in_the_stored_payload() -> None:
    payload = b'{"price":1.50,"long":123456789012345678901234567890,"rate":1E2}'
    body = a_body(payload="HERE").replace(b'"HERE"', payload)
    submission = parsed(body)
    assert '"price":1.50' in submission.payload_text
    assert '"long":123456789012345678901234567890' in submission.payload_text
    assert submission.payload["rate"] == Decimal("1E2")


@pytest.mark.parametrize("locale", ["de", "de-AT", "de_AT", "zh-Hant-TW", "sr-Latn-RS"])
def test_language_tags_are_locales(locale: str) -> None:
    assert parsed(recipients=[{"user_id": "u-1", "locale": locale}]).recipients[0].locale == locale


def test_a_thousand_recipients_and_255_characters_of_a_key_are_taken() -> None:
    submission = parsed(recipients=[{"user_id": "u-1"}] * 1000, idempotency_key="k" * 255)
    assert len(submission.recipients) == 1000
    assert submission.idempotency_key == "k" * 255


def test_a_payload_of_64_kib_is_taken_and_one_more_byte_is_not() -> None:
    room = 64 * KIB - len('{"a":""}')
    assert len(parsed(payload={"a": "x" * room}).payload_text) == 64 * KIB
    assert faults(payload={"a": "x" * (room + 1)}) == {"/payload": "is larger than 64 KiB"}


def test_the_size_of_a_payload_is_counted_in_bytes() -> None:
    assert set(faults(payload={"a": "\N{GRINNING FACE}" * 17 * KIB})) == {"/payload"}


# What cannot be read is a 400.


CANNOT_BE_READ = {
    "nothing": b"",
    "half of it": a_body()[:-9],
    "null": b"null",
    "a list": b"[]",
    "a number": b"5",
    "a text": b'"x"',
    "true": b"true",
    "a byte order mark": b"\xef\xbb\xbf" + a_body(),
    "not UTF-8": a_body().replace(b"DHL", b"\xff"),
    "UTF-16": a_body().decode().encode("utf-16"),
    "brackets": b"[" * 100_000,
    "brackets in the payload": a_body().replace(b'"1234"', b"[" * 100_000 + b"]" * 100_000),
    "65 levels": a_body().replace(b'"1234"', b"[" * 64 + b"]" * 64),
    "NaN": a_body().replace(b'"1234"', b"NaN"),
    "Infinity": a_body().replace(b'"1234"', b"Infinity"),
    "-Infinity": a_body().replace(b'"1234"', b"-Infinity"),
    "an exponent without bounds": a_body().replace(b'"1234"', b"1e99999999999999999999"),
    "an integer without bounds": a_body().replace(b'"1234"', b"9" * 100_000),
    "a member twice": a_body().replace(b"{", b'{"kind": "order.shipped", ', 1),
    "a member of the payload twice": a_body().replace(b'"carrier"', b'"order_id"'),
    "half of a pair in a value": a_body(payload={"a": "\ud800"}),
    "half of a pair in a key": a_body(payload={"\udc00": 1}),
    "half of a pair in a user_id": a_body(recipients=[{"user_id": "\ud83d"}]),
    "NUL in a value": a_body(payload={"a": ["x\0"]}),
    "NUL in a key": a_body(payload={"x\0": 1}),
    "NUL in the kind": a_body(kind="\0"),
    "NUL in the idempotency key": a_body(idempotency_key="a\0b"),
}


@pytest.mark.parametrize("body", CANNOT_BE_READ.values(), ids=CANNOT_BE_READ)
def test_what_cannot_be_read_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        parsed(body)


# The idempotency key.


@pytest.mark.parametrize(
    ("header", "member", "key"),
    [
        (None, "k-1", "k-1"),
        ("k-1", ..., "k-1"),
        ("k-1", None, "k-1"),
        ("k-1", "k-1", "k-1"),
        # a header may quote it (RFC 8941)
        ('"k-1"', ..., "k-1"),
        ('"k-1"', "k-1", "k-1"),
        # a bare key may have quotation marks, but not begin with one
        ('k"1"', ..., 'k"1"'),
        (None, '"k-1"', '"k-1"'),
        ("", "k-1", "k-1"),
    ],
)
def test_the_key_is_the_header_or_the_member(header: str | None, member: Any, key: str) -> None:
    assert parsed(key=header, idempotency_key=member).idempotency_key == key


@pytest.mark.parametrize(
    ("header", "member"),
    [
        # no key
        (None, ...),
        (None, None),
        (None, ""),
        ("", ...),
        ('""', ...),
        # two different ones
        ("k-1", "k-2"),
        ('"k-1"', "k-2"),
        ("k-1", "K-1"),
        ("5", 5),
    ],
)
def test_no_key_or_two_different_ones_are_malformed(header: str | None, member: Any) -> None:
    with pytest.raises(Malformed):
        parsed(key=header, idempotency_key=member)


@pytest.mark.parametrize(("header", "member"), [("k" * 256, ...), (None, "k" * 256)])
def test_a_key_over_255_characters_is_a_fault(header: str | None, member: Any) -> None:
    assert set(faults(key=header, idempotency_key=member)) == {"/idempotency_key"}


@pytest.mark.parametrize("member", [5, 1.5, True, ["k"], {"k": 1}])
def test_a_key_that_is_no_string_is_a_fault(member: Any) -> None:
    assert set(faults(idempotency_key=member)) == {"/idempotency_key"}


@pytest.mark.parametrize("header", ["a\0b", "\ud800", "k\udcff"])
def test_a_header_that_postgresql_cannot_store_is_no_key(header: str) -> None:
    with pytest.raises(Problem):
        parsed(key=header, idempotency_key=...)


# What is too large is a 413.


@pytest.mark.parametrize(
    "body",
    [
        b" " * (KIB * KIB + 1),
        b" " * (2 * KIB * KIB),
        b"[" * (2 * KIB * KIB),
        a_body(payload={"a": "x" * 2 * KIB * KIB}),
        a_body(recipients=[{"user_id": "u-1"}] * 1001),
        # the count goes before what is wrong with each
        a_body(recipients=[5] * 1001),
    ],
    ids=["1 MiB and a byte", "2 MiB", "2 MiB of brackets", "2 MiB of payload", "1,001", "1,001 5s"],
)
def test_what_is_too_large_is_refused_before_it_is_looked_at(body: bytes) -> None:
    with pytest.raises(TooLarge):
        parsed(body)


def test_a_mebibyte_to_the_byte_is_read() -> None:
    body = a_body()
    padded = body + b" " * (KIB * KIB - len(body))
    assert parsed(padded).kind == "order.shipped"


# What can be read and not taken is a 422.


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        # missing
        ({"kind": ...}, "/kind"),
        ({"payload": ...}, "/payload"),
        ({"recipients": ...}, "/recipients"),
        # of the wrong type
        ({"kind": None}, "/kind"),
        ({"kind": 5}, "/kind"),
        ({"kind": ["order.shipped"]}, "/kind"),
        ({"kind": ""}, "/kind"),
        ({"kind": "k" * 129}, "/kind"),
        ({"payload": None}, "/payload"),
        ({"payload": []}, "/payload"),
        ({"payload": "{}"}, "/payload"),
        ({"payload": 5}, "/payload"),
        ({"recipients": None}, "/recipients"),
        ({"recipients": {}}, "/recipients"),
        ({"recipients": ANN}, "/recipients"),
        ({"recipients": 1001}, "/recipients"),
        # nobody
        ({"recipients": []}, "/recipients"),
        ({"recipients": [None]}, "/recipients/0"),
        ({"recipients": [ANN]}, "/recipients/0"),
        ({"recipients": [{"user_id": "u-1"}, []]}, "/recipients/1"),
        # unknown
        ({"colour": "red"}, "/colour"),
        ({"Kind": "order.shipped"}, "/Kind"),
        ({"a/b~c": 1}, "/a~1b~0c"),
        ({"": 1}, "/"),
    ],
    ids=str,
)
def test_a_member_that_cannot_be_taken_is_pointed_at(changes: dict[str, Any], pointer: str) -> None:
    assert set(faults(**changes)) == {pointer}


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"user_id": 5}, "/user_id"),
        ({"user_id": ""}, "/user_id"),
        ({"user_id": "u" * 256}, "/user_id"),
        ({"user_id": "u\n1"}, "/user_id"),
        ({"user_id": ["u-1"]}, "/user_id"),
        ({"device_session_id": 5}, "/device_session_id"),
        ({"device_session_id": ""}, "/device_session_id"),
        ({"device_session_id": "d" * 256}, "/device_session_id"),
        ({"device_session_id": "d\x7f"}, "/device_session_id"),
        ({"locale": 5}, "/locale"),
        ({"locale": ""}, "/locale"),
        ({"locale": "d"}, "/locale"),
        ({"locale": "../../etc"}, "/locale"),
        ({"locale": "de/AT"}, "/locale"),
        ({"locale": "de-AT\n"}, "/locale"),
        ({"locale": "de" + "-AT" * 20}, "/locale"),
        ({"data": []}, "/data"),
        ({"data": "Ann"}, "/data"),
        ({"name": "Ann"}, "/name"),
        ({"e/mail": ANN}, "/e~1mail"),
    ],
    ids=str,
)
def test_a_member_of_a_recipient_that_cannot_be_taken_is_pointed_at(
    members: dict[str, Any], pointer: str
) -> None:
    assert set(faults_of_recipient(**members)) == {f"/recipients/1{pointer}"}


@pytest.mark.parametrize("blank", [" ", "\t", "  \u00a0 "])
def test_a_user_id_of_nothing_but_blanks_is_none(blank: str) -> None:
    """The push channel fails each attempt for one: "push route missing user_id"."""
    assert set(faults_of_recipient(user_id=blank)) == {"/recipients/1/user_id"}


def test_attachments_are_refused_in_words() -> None:
    found = faults(attachments=[{"name": "a.pdf"}])
    assert found == {"/attachments": "is not supported"}


@pytest.mark.parametrize(
    "instant",
    [
        # none
        "",
        "soon",
        "now",
        "2026-12-01",
        "09:00:00Z",
        "2026-13-01T09:00:00Z",
        "2026-02-30T09:00:00Z",
        "2026-12-01T25:00:00Z",
        "2026-12-01T09:00:00Z ",
        "Tue, 01 Dec 2026 09:00:00 GMT",
        # without an offset
        "2026-12-01T09:00:00",
        # of another type
        1796115600,
        1796115600.5,
        10**30,
        True,
        [],
        {},
        # out of range
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "1969-12-31T23:59:59Z",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-14:00",
        "99999-01-01T00:00:00Z",
        "2026-12-01T09:00:00+99:00",
        "2026-12-01T09:00:00+16:00",
        "2026-12-01T09:00:00-23:59",
    ],
    ids=str,
)
def test_what_is_no_instant_with_an_offset_is_refused(instant: Any) -> None:
    assert set(faults(deliver_at=instant)) == {"/deliver_at"}


def test_an_instant_in_the_past_is_taken() -> None:
    assert parsed(deliver_at="2020-01-01T00:00:00Z").deliver_at is not None


def test_every_fault_of_a_body_is_found_at_once() -> None:
    found = faults(
        kind=5,
        payload=[],
        deliver_at="soon",
        colour="red",
        attachments=[],
        recipients=[
            {"user_id": " ", "locale": "../x", "colour": 1},
            {"user_id": "u-1"},
            5,
            {"user_id": "", "data": []},
        ],
    )
    assert set(found) == {
        "/kind",
        "/payload",
        "/deliver_at",
        "/colour",
        "/attachments",
        "/recipients/0/user_id",
        "/recipients/0/locale",
        "/recipients/0/colour",
        "/recipients/2",
        "/recipients/3/user_id",
        "/recipients/3/data",
    }


def test_a_fault_repeats_no_regular_expression_and_no_path_of_the_library() -> None:
    for detail in faults(kind=5, recipients=[{"locale": "../x", "user_id": 5}]).values():
        assert "regex" not in detail
        assert "$" not in detail


# The digest.


def digest(**changes: Any) -> str:
    return parsed(**changes).digest


RECIPIENTS = [{"user_id": "u-1"}, {"user_id": "u-2"}]


def test_the_same_body_has_the_same_digest_however_it_is_written() -> None:
    document = json.loads(a_body())
    turned = dict(reversed(document.items()))
    turned["payload"] = dict(reversed(document["payload"].items()))
    spaced = json.dumps(turned, indent=4).encode()
    escaped = a_body().replace(b"DHL", b"\\u0044HL")
    assert {parsed(body).digest for body in (a_body(), spaced, escaped)} == {digest()}


def test_the_key_is_no_part_of_the_digest() -> None:
    assert digest(idempotency_key="another") == digest()
    assert digest(idempotency_key=..., key="another") == digest()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"kind": "order.shipped"}, {"kind": "order.arriving"}),
        ({"payload": {"a": 1}}, {"payload": {"a": 2}}),
        ({"payload": {"a": 1}}, {"payload": {"a": "1"}}),
        ({"payload": {"a": 1.5}}, {"payload": {"a": 1}}),
        ({"payload": {"a": None}}, {"payload": {}}),
        ({"payload": {"a": [1, 2]}}, {"payload": {"a": [2, 1]}}),
        ({"payload": {"a": 2**64}}, {"payload": {"a": 2**64 + 1}}),
        ({"recipients": RECIPIENTS}, {"recipients": RECIPIENTS[::-1]}),
        ({"recipients": RECIPIENTS}, {"recipients": RECIPIENTS[:1]}),
        ({"recipients": RECIPIENTS}, {"recipients": [RECIPIENTS[0]] * 2}),
        ({"deliver_at": "2026-12-01T09:00:00Z"}, {"deliver_at": "2026-12-01T09:00:01Z"}),
        ({"deliver_at": "2026-12-01T09:00:00Z"}, {}),
    ],
    ids=str,
)
def test_another_body_has_another_digest(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert digest(**one) != digest(**other)


# Whatever is sent.

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from([ANN, "2026-12-01T09:00:00Z", "de-AT", 10**400, math.inf, "\0", "\ud800"])
)
documents = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
emails = st.emails() | st.text(st.characters(), max_size=40) | st.just(ANN)
addressees = st.fixed_dictionaries(
    {},
    optional={
        "user_id": documents,
        "email": emails | documents,
        "device_session_id": documents,
        "locale": documents,
        "data": documents,
    },
)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.just("order.shipped") | documents,
        "idempotency_key": st.just("k-1") | documents,
        "payload": st.dictionaries(st.text(), documents, max_size=3) | documents,
        "recipients": st.lists(addressees | documents, max_size=4) | documents,
        "deliver_at": st.datetimes().map(lambda at: f"{at.isoformat()}Z") | documents,
    },
)
headers = st.none() | st.text(st.characters(), max_size=20)


def encoded(document: Any) -> bytes:
    return json.dumps(document).encode()


@given(body=st.binary() | bodies.map(encoded) | documents.map(encoded), key=headers)
def test_whatever_is_sent_is_parsed_or_a_problem(body: bytes, key: str | None) -> None:
    with suppress(Problem):
        submission = parse(body, key=key, traceparent=None)
        assert 1 <= len(submission.idempotency_key) <= 255
        assert submission.recipients
