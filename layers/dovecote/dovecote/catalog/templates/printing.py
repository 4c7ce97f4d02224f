"""Templates that only print variables: texts, and a variable between each two.

The compiler finds them (usage.py), so a function renders them without Jinja2.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import escape

from dovecote.catalog.templates.precompiled import UndefinedVariable


class PrintingTemplate:
    """A template that only prints variables; a check reads none of them for more than its text."""

    reads = frozenset[str]()

    def __init__(self, pieces: Sequence[str], *, escapes: bool) -> None:
        self._pieces = pieces
        self._printed = pieces[1::2]
        self._escapes = escapes
        self._checked: dict[str, Any] = {}
        self.names = frozenset(self._printed)

    def check(self, variables: Mapping[str, Any]) -> None:
        """Raise what rendering raises; a list that recipients share is read once."""
        for name in dict.fromkeys(self._printed):
            value = variables.get(name)
            shared = isinstance(value, dict | list)
            if not shared or value is not self._checked.get(name):
                _text(name, variables)
            if shared:
                self._checked[name] = value

    def render(self, variables: Mapping[str, Any]) -> str:
        """Return the text; raise UndefinedVariable."""
        texts = {name: _text(name, variables) for name in self._printed}
        if self._escapes:
            texts = {name: escape(text) for name, text in texts.items()}
        pieces = list(self._pieces)
        pieces[1::2] = [texts[name] for name in self._printed]
        return "".join(pieces)


def escapes(name: str | None) -> bool:
    """Return whether what a template of this name prints is escaped."""
    return name is not None and name.endswith(".html")


def _text(name: str, variables: Mapping[str, Any]) -> str:
    """Return the text of a variable; Jinja2 is loaded for a value that is neither text nor int."""
    value = variables.get(name)
    if isinstance(value, str):
        return value
    if type(value) is int:
        return str(value)
    if name not in variables:
        raise UndefinedVariable(f"{name!r} is undefined")
    from dovecote.catalog.templates.jinja import printed  # noqa: PLC0415

    return printed(value, name)
