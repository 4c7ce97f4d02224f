"""Addresses by the letter of RFC 5321, with the domains of RFC 1035 and RFC 5891."""

from typing import Any

import psycopg

from tests.functions import Functions
from tests.integration.test_hostile_documents import around, note
from tests.integration.test_http import assert_problem

__all__ = ["note"]

Connection = psycopg.Connection[Any]

ADDRESSES = {
    "ann@example.com": "ann@example.com",
    "Ann.O'Bee+tag@EXAMPLE.com": "Ann.O'Bee+tag@example.com",
    "!#$%&'*+-/=?^_`{|}~@example.com": "!#$%&'*+-/=?^_`{|}~@example.com",
    f"{'a' * 64}@example.com": f"{'a' * 64}@example.com",
    "ann@b\u00fccher.example.com": "ann@xn--bcher-kva.example.com",
    "ann@xn--bcher-kva.example.com": "ann@xn--bcher-kva.example.com",
    "ann@\u4f8b\u3048.example.com": "ann@xn--r8jz45g.example.com",
    f"ann@{'a' * 63}.com": f"ann@{'a' * 63}.com",
}


NO_ADDRESSES = {
    "nothing": "",
    "no at sign": "ann.example.com",
    "two at signs": "ann@bee@example.com",
    "no local part": "@example.com",
    "no domain": "ann@",
    "a local part of 65": f"{'a' * 65}@example.com",
    "a label of 64": f"ann@{'a' * 64}.com",
    "255 characters": f"ann@{'a.' * 124}com",
    "a dot first": ".ann@example.com",
    "a dot last": "ann.@example.com",
    "two dots": "a..b@example.com",
    "two dots in the domain": "ann@example..com",
    "a hyphen first": "ann@-example.com",
    "a hyphen last": "ann@example-.com",
    "an underscore in the domain": "ann@exa_mple.com",
    "one label": "ann@localhost",
    "an address literal": "ann@[127.0.0.1]",
    "an IPv6 literal": "ann@[IPv6:::1]",
    "an address in digits": "ann@127.0.0.1",
    "a quoted local part": '"ann bee"@example.com',
    "a comment": "ann(comment)@example.com",
    "a display name": "Ann <ann@example.com>",
    "a group": "friends: ann@example.com;",
    "a route of old": "<@relay.example:ann@example.com>",
    "a mailto link": "mailto:ann@example.com",
    "two addresses": "ann@example.com, bea@example.com",
    "two addresses with a semicolon": "ann@example.com;bea@example.com",
    "space before": " ann@example.com",
    "space behind": "ann@example.com ",
    "space within": "ann bee@example.com",
    "a header behind": "ann@example.com\r\nBcc: bea@example.com",
    "a line break behind": "ann@example.com\n",
    "folded": "ann\r\n @example.com",
    "a tab": "ann\t@example.com",
    "a local part beyond ASCII": "j\u00f6rg@example.com",
    "a full-width at sign": "ann\uff20example.com",
    "a full-width letter": "\uff41nn@example.com",
    "a zero-width space": "ann\u200b@example.com",
    "right to left": "ann\u202e@example.com",
    "an emoji": "\U0001f54a@example.com",
    "punycode that is none": "ann@xn--a.example.com",
    "a domain that is reserved": "ann@example.invalid",
    "an encoded word": "=?utf-8?q?ann?= <ann@example.com>",
    "a backslash": "ann\\@bee@example.com",
    "DEL": "ann\x7f@example.com",
}


def test_an_address_is_stored_as_it_is_mailed(note: Functions, connection: Connection) -> None:
    for address in ADDRESSES:
        assert note.post(around(b'"a"', email=address)).status == 202, address
    mailed = connection.execute(
        "select address from dovecote.notification_routes order by created_at"
    )
    assert [address for (address,) in mailed] == list(ADDRESSES.values())


def test_what_is_no_address_is_a_422(note: Functions) -> None:
    for name, address in NO_ADDRESSES.items():
        answer = note.post(around(b'"a"', email=address))
        assert answer.status == 422, name
        assert_problem(answer, 422)
        assert [error["pointer"] for error in answer.body["errors"]] == ["/recipients/0/email"]
