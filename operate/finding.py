"""What a check says: one line, and what to do where something is wrong."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from operate.terminal import printable, say_json


class Mark(StrEnum):
    """How a line begins."""

    OK = "ok"
    WRONG = "!!"
    SKIPPED = "--"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One line of a check's; `stops` says that checks which build on this one have nothing."""

    mark: Mark
    text: str
    remedy: str = ""
    details: tuple[str, ...] = ()
    stops: bool = False

    @property
    def is_wrong(self) -> bool:
        """Return whether somebody has something to do."""
        return self.mark is Mark.WRONG

    def document(self) -> dict[str, Any]:
        """Return the finding as JSON has it."""
        return {
            "state": self.mark.name.lower(),
            "text": self.text,
            "remedy": self.remedy or None,
            "details": list(self.details),
        }

    def __str__(self) -> str:
        """Return the line as it is printed, with its details below it."""
        line = f"{self.mark}  {self.text}" + (f" — {self.remedy}" if self.remedy else "")
        return "\n".join(map(printable, [line, *(f"      {detail}" for detail in self.details)]))


def report(findings: Iterable[Finding], *, as_json: bool = False) -> int:
    """Print findings as they come, or all as JSON; return 1 if something is wrong, else 0."""
    found = []
    for finding in findings:
        found.append(finding)
        if not as_json:
            print(finding, flush=True)
    if as_json:
        say_json({"findings": [finding.document() for finding in found]})
    return int(any(finding.is_wrong for finding in found))


def ok(text: str, *, details: tuple[str, ...] = ()) -> Finding:
    """Return that something is as it should be."""
    return Finding(mark=Mark.OK, text=text, details=details)


def wrong(text: str, remedy: str, *, details: tuple[str, ...] = (), stops: bool = False) -> Finding:
    """Return what is wrong, and what to do."""
    return Finding(mark=Mark.WRONG, text=text, remedy=remedy, details=details, stops=stops)


def skipped(text: str, *, stops: bool = False) -> Finding:
    """Return what was not looked at, and why; nobody has to do anything."""
    return Finding(mark=Mark.SKIPPED, text=text, stops=stops)
