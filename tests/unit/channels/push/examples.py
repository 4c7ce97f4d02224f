"""Examples that the tests of push start from."""

from decimal import Decimal
from typing import Any

from dovecote.channels.push.kind import Alert
from dovecote.channels.push.message import ClientEvent
from tests.unit.examples import ROUTE_ID

ALERT = Alert(title="Hello", body="It is Ann")
SENT_AT = 1_800_000_000.9


def an_event(**changes: Any) -> ClientEvent:
    values: dict[str, Any] = {
        "event_id": str(ROUTE_ID),
        "request_id": "greeting-1",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "kind": "greeting.sent",
        "user_id": "u-1",
        "device_session_id": "d-1",
        "payload": {"name": "Ann", "price": Decimal("1.50")},
    }
    return ClientEvent(**(values | changes))
