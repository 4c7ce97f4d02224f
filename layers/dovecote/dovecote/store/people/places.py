"""Places in the routes of a person, which statements read in the order of their entries."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

Place = Mapping[str, Any]
"""The parameters of the place after which a statement reads."""

BEGINNING: Place = {"after_notification": UUID(int=0), "after_route": UUID(int=0)}


def place_after(row: Mapping[str, Any]) -> Place:
    """Return the place after a row that was read."""
    return {"after_notification": row["notification_id"], "after_route": row["route_id"]}
