"""Every string of the Big List of Naughty Strings, as part of an address."""

from typing import Any

import psycopg
import pytest

from dovecote.core.parsing.addresses import BadAddress, normalised
from tests.functions import Functions
from tests.integration.test_naughty_strings import a_note, note, sent, stored
from tests.naughty import STRINGS

__all__ = ["note"]

Connection = psycopg.Connection[Any]


def is_address(string: str) -> bool:
    try:
        normalised(string)
    except BadAddress:
        return False
    return True


AROUND = ("{}", "{}@example.com", "ann@{}", "ann@{}.example.com", '"{}"@example.com')


@pytest.mark.parametrize("around", AROUND)
def test_as_an_address(note: Functions, connection: Connection, around: str) -> None:
    addresses = [around.format(string) for string in STRINGS]
    bodies = {
        address: a_note(number, recipients=[{"email": address}])
        for number, address in enumerate(addresses)
    }
    taken = sent(note, bodies)
    assert taken.keys() == {address for address in bodies if is_address(address)}
    mailed = stored(connection, "r.address")
    for address, notification_id in taken.items():
        assert mailed[notification_id] == normalised(address)
