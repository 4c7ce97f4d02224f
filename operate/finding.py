"""What a check says: one line, and what to do where something is wrong."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from operate.terminal import printable


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

    def __str__(self) -> str:
        """Return the line as it is printed, with its details below it."""
        line = f"{self.mark}  {self.text}" + (f" — {self.remedy}" if self.remedy else "")
        return "\n".join(map(printable, [line, *(f"      {detail}" for detail in self.details)]))


def report(findings: Iterable[Finding]) -> int:
    """Print findings as they come, and return the exit code: 1 where something is wrong."""
    wrongs = 0
    for finding in findings:
        print(finding, flush=True)
        wrongs += finding.is_wrong
    return 1 if wrongs else 0


def ok(text: str, *, details: tuple[str, ...] = ()) -> Finding:
    """Return that something is as it should be."""
    return Finding(mark=Mark.OK, text=text, details=details)


def wrong(text: str, remedy: str, *, details: tuple[str, ...] = (), stops: bool = False) -> Finding:
    """Return what is wrong, and what to do."""
    return Finding(mark=Mark.WRONG, text=text, remedy=remedy, details=details, stops=stops)


def skipped(text: str, *, stops: bool = False) -> Finding:
    """Return what was not looked at, and why; nobody has to do anything."""
    return Finding(mark=Mark.SKIPPED, text=text, stops=stops)
