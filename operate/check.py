"""A check of the doctor's."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from operate.finding import Finding
from operate.site import Site


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing to look at, and the check without which there is nothing to see."""

    name: str
    look: Callable[[Site], Iterator[Finding]]
    after: str | None = None


CREDENTIALS = "credentials"
STACK = "the stack"
"""The names of the checks that others come after."""
