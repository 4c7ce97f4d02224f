"""Templates that do no more than put variables into a text, as most do: read without Jinja2.

They say what Jinja2 makes of them, to the letter. To load it, and to compile three templates, is a
tenth of a cold start.
"""

import re
from collections.abc import Mapping
from keyword import iskeyword
from typing import Any

_VARIABLE = re.compile(r"\{\{ *([A-Za-z_][A-Za-z0-9_]*) *\}\}")
_OPENING = re.compile(r"\{[{%#]")
_NEWLINE = re.compile(r"\r\n?")

_JINJAS = frozenset(
    {
        *("true", "false", "none", "self", "super", "loop", "caller"),
        *("cycler", "dict", "joiner", "lipsum", "namespace", "range"),
    }
)
"""Names that mean something by themselves, as Python's keywords do."""

_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&#39;", '"': "&#34;"})


class UndefinedVariable(Exception):
    """A variable that is not there; the message is Jinja2's."""


class PlainTemplate:
    """Texts, and between each two of them a variable; what it holds is escaped in HTML."""

    def __init__(self, texts: list[str], names: list[str], *, escapes: bool) -> None:
        self._texts = texts
        self._names = names
        self._escapes = escapes
        self.names = frozenset(names)
        self.reads = frozenset[str]()  # a check reads no value

    def check(self, variables: Mapping[str, Any]) -> None:
        """Raise what rendering would raise: UndefinedVariable."""
        if not self.names <= variables.keys():
            self.render(variables)

    def render(self, variables: Mapping[str, Any]) -> str:
        """Return the text; raise UndefinedVariable."""
        parts = [self._texts[0]]
        for name, text in zip(self._names, self._texts[1:], strict=True):
            parts += (self._value(name, variables), text)
        return "".join(parts)

    def _value(self, name: str, variables: Mapping[str, Any]) -> str:
        try:
            value = str(variables[name])
        except KeyError:
            raise UndefinedVariable(f"{name!r} is undefined") from None
        return value.translate(_ESCAPED) if self._escapes else value


def read(source: str, *, escapes: bool) -> PlainTemplate | None:
    """Return a template, or None where it is one that Jinja2 has to read."""
    parts = _VARIABLE.split(_NEWLINE.sub("\n", source).removesuffix("\n"))
    texts, names = parts[::2], parts[1::2]
    # With the first brace of the variable behind it: {{{ name }} opens with the first two.
    if _OPENING.search("{\n".join(texts)):
        return None
    if any(iskeyword(name) or name in _JINJAS for name in names):
        return None
    return PlainTemplate(texts, names, escapes=escapes)
