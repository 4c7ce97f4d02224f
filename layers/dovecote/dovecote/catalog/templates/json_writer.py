"""Values of templates as JSON, numbers in plain digits."""

import json
from typing import Any

import msgspec

from dovecote.catalog.templates import decimals


class CannotPrint(Exception):
    """A value has no text; the message holds no value."""


class JsonWriter(msgspec.Struct, frozen=True, kw_only=True):
    """Writes JSON: over several lines where there is a step of indentation."""

    step: str | None = None
    ascii_only: bool = False
    sort_keys: bool = False

    def text(self, value: Any, end: str = "\n") -> str:
        """Return a value as JSON; raise CannotPrint or OutOfRange. `end` ends its lines."""
        inner = end + (self.step or "")
        if isinstance(value, dict):
            names = sorted(value) if self.sort_keys else list(value)
            members = [f"{self._quoted(n)}: {self.text(value[n], inner)}" for n in names]
            return self._enclosed("{", members, "}", end)
        if isinstance(value, list):
            return self._enclosed("[", [self.text(item, inner) for item in value], "]", end)
        if decimals.is_number(value):
            return str(decimals.number(value))
        if value is None or isinstance(value, str | bool):
            return self._quoted(value)
        raise CannotPrint("a value cannot be printed: it is not a value of JSON")

    def _quoted(self, value: str | bool | None) -> str:
        return json.dumps(value, ensure_ascii=self.ascii_only)

    def _enclosed(self, opening: str, parts: list[str], closing: str, end: str) -> str:
        if self.step is None or not parts:
            return f"{opening}{', '.join(parts)}{closing}"
        inner = end + self.step
        return f"{opening}{inner}{f',{inner}'.join(parts)}{end}{closing}"
