"""The refusals of one batch through narrow resources: their order, and those in a row."""

import math
import threading
from uuid import UUID

from msgspec import Struct, field


class Refusals(Struct):
    """Refused routes. The circuit breaker calls this under its lock.

    Each refusal has a number. An accepted send explains the refusals that came before it began.
    """

    number: dict[UUID, int] = {}
    explained: dict[str, int] = {}
    rows: dict[str, set[UUID]] = {}
    begun: threading.local = field(default_factory=threading.local)

    def send_begins(self) -> None:
        """Note that the calling thread begins a send."""
        if self.number:
            self.begun.after = len(self.number)

    def add(self, route_id: UUID) -> None:
        """Add a refused route."""
        self.number[route_id] = len(self.number) + 1

    def in_a_row(self, resource: str, route_id: UUID) -> set[UUID]:
        """Add a refused route to those in a row through a resource; return them."""
        row = self.rows.setdefault(resource, set())
        row.add(route_id)
        return row

    def accept(self, resource: str) -> None:
        """Note that a resource accepted the send of the calling thread."""
        after = getattr(self.begun, "after", 0)
        self.explained[resource] = max(self.explained.get(resource, 0), after)
        self.rows.pop(resource, None)

    def is_explained(self, route_id: UUID, resource: str) -> bool:
        """Return whether a send that began after a refusal was accepted through its resource."""
        return self.number.get(route_id, math.inf) <= self.explained.get(resource, 0)
