"""What a template cannot say of a payload is a 422 by HTTP that names the variable."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from local.provider import Running
from tests.builders import CHANNEL
from tests.catalogs import texts_of, write_catalog
from tests.functions import Functions, environment, run_functions
from tests.sending import recipient

Connection = psycopg.Connection[Any]
KINDS: dict[str, dict[str, Any]] = {
    "order.paid": {
        "required": ["order"],
        "properties": {"order": {"type": "object"}, "coupon": {"type": ["string", "null"]}},
    }
}
SUBJECT = "{{ order.title }}"
TEXT = (
    "{% if order.total >= 9.99 %}Free delivery{% else %}Delivery 5.00{% endif %}"
    " {{ order.total * 1.2 }} {{ order.gift }} {{ coupon|default('no coupon') }}"
    "{% for item in order['items'] %} {{ item.copy }}{% endfor %}"
)
PLACES: dict[str, dict[str, str]] = {
    "email": {"title": "subject.txt", "body": "body.txt"},
    "push": {"title": "push.json: title", "body": "push.json: body"},
}
"""Where a fault is in the title or the body of each channel's message."""

ORDER: dict[str, Any] = {"title": "Hi", "total": 10.5, "gift": True, "items": [{"copy": "2 for 1"}]}


@pytest.fixture
def wired(database_url: str, provider: Running, tmp_path: Path) -> Iterator[Functions]:
    catalog = write_catalog(tmp_path, KINDS, **texts_of(CHANNEL, SUBJECT, TEXT))
    values = environment(database_url, provider.url, catalog)
    with run_functions(values) as found:
        yield found


def body(key: str, **changes: Any) -> dict[str, Any]:
    order = {name: one for name, one in (ORDER | changes).items() if one is not ...}
    return {
        "kind": "order.paid",
        "idempotency_key": key,
        "payload": {"order": order},
        "recipients": [recipient()],
    }


@pytest.mark.parametrize(
    ("changes", "part", "named"),
    [
        ({"title": None}, "title", "'order.title' is null"),
        ({"title": ...}, "title", "'order.title' is undefined"),
        ({"total": None}, "body", "'order.total' is null"),
        ({"gift": ...}, "body", "'order.gift' is undefined"),
        ({"items": ...}, "body", "'order.items' is undefined"),
        ({"items": [{"copy": "a"}, {"copy": None}]}, "body", "'order.items[1].copy' is null"),
        ({"items": [{}]}, "body", "'order.items[0].copy' is undefined"),
    ],
)
def test_a_null_and_a_missing_member_are_422s_that_name_them(
    wired: Functions, connection: Connection, changes: dict[str, Any], part: str, named: str
) -> None:
    answer = wired.post(body("bad", **changes))
    assert answer.status == 422
    (error,) = answer.body["errors"]
    assert error["pointer"] == "/payload"
    assert f"{PLACES[CHANNEL][part]}: {named}" in error["detail"]
    assert connection.execute("select count(*) from dovecote.notifications").fetchone() == (0,)
