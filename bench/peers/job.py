"""The job that all contenders are given."""

from typing import Any


def payload(number: int) -> dict[str, Any]:
    """Return the payload of one job, of the kind order.shipped."""
    return {"order_id": f"A{number:08d}", "carrier": "DHL", "first_name": "Ann"}
