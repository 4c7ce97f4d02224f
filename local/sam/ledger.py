"""The provider's orders and ledger over HTTP, since the house may be another process's."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.request import Request, urlopen

import msgspec

from local.provider import Order
from local.sam.house import House

Row = dict[str, Any]


def give(house: House, orders: Sequence[Order]) -> None:
    """Give the orders that the provider was not given before."""
    known = [
        {name: value for name, value in standing.items() if name not in ("id", "used")}
        for standing in _ask(house, "orders")
    ]
    for order in map(msgspec.to_builtins, orders):
        if order not in known:
            _ask(house, "orders", order)


def attempts(house: House) -> list[Row]:
    """Return each request to send that was received, with what was accepted as its content."""
    ledger = _ask(house, "ledger")
    accepted = {row["message_id"]: row["content"] for row in ledger["accepted"]}
    return [{**row, "content": accepted.get(row["message_id"])} for row in ledger["attempts"]]


def _ask(house: House, what: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = Request(f"{house.provider_url}/_provider/{what}", data=data)  # noqa: S310 - our own
    with urlopen(request, timeout=10) as answer:  # noqa: S310 - our own
        return json.load(answer)
