"""The refusals of one batch through narrow resources: their order, and those in a row."""

import math
import threading
from uuid import UUID


class Refusals:
    """Refused routes. The circuit breaker calls this under its lock.

    Each refusal has a number. An accepted send explains the refusals that came before it began.
    """

    def __init__(self) -> None:
        self._number: dict[UUID, int] = {}
        self._explained: dict[str, int] = {}
        self._in_a_row: dict[str, set[UUID]] = {}
        self._begun = threading.local()

    def send_begins(self) -> None:
        """Note that the calling thread begins a send."""
        if self._number:
            self._begun.after = len(self._number)

    def add(self, route_id: UUID) -> None:
        """Add a refused route."""
        self._number[route_id] = len(self._number) + 1

    def in_a_row(self, resource: str, route_id: UUID) -> set[UUID]:
        """Add a refused route to those in a row through a resource; return them."""
        row = self._in_a_row.setdefault(resource, set())
        row.add(route_id)
        return row

    def accept(self, resource: str) -> None:
        """Note that a resource accepted the send of the calling thread."""
        after = getattr(self._begun, "after", 0)
        self._explained[resource] = max(self._explained.get(resource, 0), after)
        self._in_a_row.pop(resource, None)

    def is_explained(self, route_id: UUID, resource: str) -> bool:
        """Return whether a send that began after a refusal was accepted through its resource."""
        return self._number.get(route_id, math.inf) <= self._explained.get(resource, 0)
