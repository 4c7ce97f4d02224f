"""What Schemathesis can't know: which kinds there are. It loads this in a venv of its own."""

from itertools import count
from typing import Any

import schemathesis

KINDS = [
    {"kind": "order.shipped", "payload": {"first_name": "A", "order_id": "1", "carrier": "DHL"}},
    {"kind": "order.arriving", "payload": {"order_id": "1", "carrier": "DHL", "minutes": 5}},
]
KEYS = map("key-{}".format, count())


@schemathesis.hook
def map_case(context: schemathesis.HookContext, case: schemathesis.Case) -> schemathesis.Case:
    """Make every other well-formed notification one that the catalog takes."""
    well_formed = case.meta is not None and case.meta.generation.mode.is_positive
    if case.operation.label == "POST /notifications" and well_formed:
        chosen = len(repr(case.body)) % (2 * len(KINDS))
        if isinstance(case.body, dict) and chosen < len(KINDS):
            case.body = taken(case.body, KINDS[chosen])
            case.headers.pop("Idempotency-Key", None)
    return case


def taken(body: dict[str, Any], kind: dict[str, Any]) -> dict[str, Any]:
    """Return a body as a kind wants it, and what else it has."""
    recipients = [{**one, "data": None} for one in body["recipients"]]
    return {**body, **kind, "recipients": recipients, "idempotency_key": next(KEYS)}
