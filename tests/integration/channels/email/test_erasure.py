"""People are erased by their address, which is suppressed from then on."""

import json
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from dovecote.channels import NAMES
from local.provider import Running
from tests.builders import (
    misfiled,
)
from tests.functions import Functions
from tests.integration.test_erasure import (
    ANN,
    BEN,
    CANARY,
    USER,
    a_body,
    erase,
    erase_all_of,
    fetched,
    idle,
    key_of,
    suppressed,
)

Connection = psycopg.Connection[Any]
__all__ = ["idle"]


def at_address(email: str) -> str:
    return f"/recipients?email={quote(email, safe='')}"


@pytest.mark.parametrize("path", [USER, at_address(ANN.upper())])
def test_an_erased_route_is_found_neither_by_its_user_nor_by_its_address(
    idle: Functions, connection: Connection, path: str
) -> None:
    for key, email in enumerate((ANN, ANN.title(), BEN)):
        one = {"user_id": "u-1", "email": email, "data": {"first_name": "N"}}
        assert idle.post(a_body(idempotency_key=str(key), recipients=[one])).status == 202
    erase(idle, path, erased=3 * len(NAMES) if path == USER else 2)
    assert misfiled(connection) == []
    assert fetched(connection, "table address_routes") == fetched(
        connection,
        "select address_hash, notification_id, route_id from notification_routes"
        " where address is not null",
    )
    for query in ("user_id=u-1", f"email={ANN.replace('+', '%2B')}"):
        found = idle.call("GET", f"/notifications?{query}").body["notifications"]
        assert ANN not in json.dumps(found).lower()


def test_an_address_that_another_user_has_too_is_not_suppressed_with_the_user(
    idle: Functions, connection: Connection
) -> None:
    idle.post(a_body())
    other = [{"user_id": "u-2", "email": ANN, "data": {"first_name": "N"}}]
    assert idle.post(a_body(idempotency_key="2", recipients=other)).status == 202
    erase(idle, USER, erased=len(NAMES))
    assert key_of(ANN) not in suppressed(connection)
    erase(idle, at_address(ANN), erased=1)
    assert suppressed(connection)[key_of(ANN)] == (None, "erased")


def test_what_was_known_of_a_suppressed_address_goes_with_it(
    idle: Functions, connection: Connection
) -> None:
    connection.execute(
        "insert into suppressions (person_hash, address, reason, route_id, message_id)"
        " values (%s, %s, 'bounced', gen_random_uuid(), 'm-1')",
        (key_of(ANN), ANN),
    )
    erase(idle, at_address(ANN))
    assert suppressed(connection) == {key_of(ANN): (None, "erased")}
    assert fetched(connection, "select route_id, message_id from suppressions") == [(None, None)]


@pytest.mark.parametrize("path", [at_address(ANN), at_address(ANN.upper())])
def test_a_person_is_erased_by_the_address_from_all_that_is_stored(
    functions: Functions, connection: Connection, provider: Running, path: str
) -> None:
    one = {"email": ANN, "data": {"first_name": CANARY}}
    erase_all_of(path, one, 1, functions, connection, provider)
    assert suppressed(connection) == {key_of(ANN): (None, "erased")}
