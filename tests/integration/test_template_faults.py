"""What a template cannot say of a payload is a 422 by HTTP that names the variable."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from local.provider import Running
from tests.canary import CANARY
from tests.catalogs import write_catalog
from tests.functions import Functions, environment, run_functions

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
ORDER: dict[str, Any] = {"title": "Hi", "total": 10.5, "gift": True, "items": [{"copy": "2 for 1"}]}


@pytest.fixture
def wired(database_url: str, provider: Running, tmp_path: Path) -> Iterator[Functions]:
    catalog = write_catalog(tmp_path, KINDS, subject_txt=SUBJECT, body_txt=TEXT)
    with (catalog / "kinds.yaml").open("a") as kinds:
        kinds.write(
            "    unsubscribe_url: https://shop.example/u?o={{ order.token|default('x') }}\n"
        )
    values = environment(database_url, provider.url, catalog)
    with run_functions(values) as found:
        yield found


def body(key: str, **changes: Any) -> dict[str, Any]:
    order = {name: one for name, one in (ORDER | changes).items() if one is not ...}
    return {
        "kind": "order.paid",
        "idempotency_key": key,
        "payload": {"order": order},
        "recipients": [{"email": f"{CANARY}@example.com"}],
    }


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"title": None}, "subject.txt: 'order.title' is null"),
        ({"title": ...}, "subject.txt: 'order.title' is undefined"),
        ({"total": None}, "body.txt: 'order.total' is null"),
        ({"gift": ...}, "body.txt: 'order.gift' is undefined"),
        ({"items": ...}, "body.txt: 'order.items' is undefined"),
        ({"items": [{"copy": "a"}, {"copy": None}]}, "body.txt: 'order.items[1].copy' is null"),
        ({"items": [{}]}, "body.txt: 'order.items[0].copy' is undefined"),
    ],
)
def test_a_null_and_a_missing_member_are_422s_that_name_them(
    wired: Functions, connection: Connection, changes: dict[str, Any], named: str
) -> None:
    answer = wired.post(body("bad", **changes))
    assert answer.status == 422
    (error,) = answer.body["errors"]
    assert error["pointer"] == "/payload"
    assert named in error["detail"]
    assert connection.execute("select count(*) from dovecote.notifications").fetchone() == (0,)


@pytest.mark.parametrize(
    ("total", "expected"),
    [
        (10.5, "Free delivery 12.6 true"),
        (9.99, "Free delivery 11.988 true"),
        (9.98, "Delivery 5.00 11.976 true"),
        (10, "Free delivery 12.0 true"),
        (1.0e7, "Free delivery 12000000.0 true"),
    ],
)
def test_what_is_sent_is_json(
    wired: Functions, provider: Running, total: float, expected: str
) -> None:
    assert wired.post(body("good", total=total)).status == 202
    (mail,) = provider.provider.ledger.accepted
    assert f"{expected} no coupon 2 for 1" in str(mail)
