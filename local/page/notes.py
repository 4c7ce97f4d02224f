"""What the functions log of routes: retries that are scheduled, and dead letters."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

What = Literal["retry", "dead_letter"]
MESSAGES: dict[str, What] = {
    "notification routes retry scheduled": "retry",
    "notification routes dead-lettered": "dead_letter",
}


@dataclass(frozen=True, kw_only=True)
class Note:
    """What a log line tells of one of its routes."""

    at: datetime
    what: What
    attempt: int
    error: str | None
    next_attempt_at: datetime | None


class Notes:
    """The log lines about routes, by route."""

    def __init__(self) -> None:
        self._notes: dict[str, list[Note]] = defaultdict(list)

    def of(self, route_id: str) -> list[Note]:
        """Return what was logged of a route, in the order in which it was."""
        return self._notes.get(route_id, [])

    def read(self, directory: Path) -> None:
        """Read what was logged before."""
        for path in sorted(directory.glob("*.log")):
            with path.open(encoding="utf-8", errors="replace") as lines:
                self._take(lines)
        for notes in self._notes.values():
            notes.sort(key=lambda note: note.at)

    def note(self, line: str) -> None:
        """Take a line that was just logged."""
        # Most lines are metrics, and need not be parsed.
        if "notification routes " not in line:
            return
        try:
            document = json.loads(line)
            what = MESSAGES.get(document.get("message"))
        except (ValueError, AttributeError, TypeError):
            return
        if what is not None:
            at = datetime.strptime(document["timestamp"], "%Y-%m-%d %H:%M:%S,%f%z")
            for route in document["routes"]:
                self._notes[route["route_id"]].append(_note(at, what, route))

    def _take(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.note(line)


def _note(at: datetime, what: What, route: dict[str, Any]) -> Note:
    due = route.get("next_attempt_at")
    return Note(
        at=at,
        what=what,
        attempt=route["attempt"],
        error=route["error"],
        next_attempt_at=None if due is None else datetime.fromisoformat(due),
    )
