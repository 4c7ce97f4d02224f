"""Text by a pattern, as in "%d of %.2f": what the filter `format` and the operator % make."""

import decimal
import re
from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup, escape

from dovecote.catalog.templates import decimals
from dovecote.catalog.templates.values import text

_FIELD = re.compile(
    r"%(?:\((?P<name>[^)]*)\))?(?P<flags>[#0 +-]*)(?P<width>\d*)(?:\.(?P<precision>\d*))?"
    r"(?P<type>.)",
    re.DOTALL,
)
_WIDEST = 1000


def filled(pattern: str, given: Any) -> str:
    """Return a pattern with values in its fields: a tuple, a mapping, or one value.

    Fields are of the types d, i, u, x, X, o, e, E, f, F, g, G and s. Raises TypeError and
    ValueError where the values do not fit, and what `text` raises.
    """
    values = iter(given if isinstance(given, tuple) else (given,))
    parts, end, named = [], 0, False
    for field in _FIELD.finditer(pattern):
        parts.append(pattern[end : field.start()])
        named = named or field["name"] is not None
        part = "%" if field["type"] == "%" else _field(field, _value(field, given, values))
        parts.append(str(escape(part)) if isinstance(pattern, Markup) else part)
        end = field.end()
    if not named and next(values, None) is not None:
        raise TypeError("the pattern has fewer fields than there are values")
    return type(pattern)("".join([*parts, pattern[end:]]))


def _value(field: re.Match[str], given: Any, values: Iterator[Any]) -> Any:
    """Return the value of a field."""
    name = field["name"]
    if name is None:
        for value in values:
            return value
        raise TypeError("the pattern has more fields than there are values")
    if not isinstance(given, Mapping):
        raise TypeError("a pattern with names needs an object")
    return given[name]


def _field(field: re.Match[str], value: Any) -> str:
    kind = field["type"]
    if max(int(field["width"] or 0), int(field["precision"] or 0)) > _WIDEST:
        raise ValueError("a field of a pattern is too wide")
    if kind in "diuxXo":
        return _printf(field) % int(decimals.whole(_number(value)))
    if kind in "eEfFgG":
        return _decimal(field, _number(value))
    if kind != "s":
        raise ValueError("a pattern has a field of a type that is not known")
    shown = text(value)
    return type(shown)(_printf(field)) % shown


def _printf(field: re.Match[str]) -> str:
    """Return a field without its name."""
    precision = "" if field["precision"] is None else f".{field['precision']}"
    return f"%{field['flags']}{field['width']}{precision}{field['type']}"


def _number(value: Any) -> decimals.Number:
    if not decimals.is_number(value):
        text(value)  # a null is named
        raise TypeError("a pattern needs a number")
    return decimals.number(value)


def _decimal(field: re.Match[str], value: decimals.Number) -> str:
    flags, kind = field["flags"], field["type"]
    decimals.digits(value)  # raises where there are too many
    align = "<" if "-" in flags else "=" if "0" in flags else ">"
    fill = "0" if align == "=" else " "
    sign = "+" if "+" in flags else " " if " " in flags else "-"
    precision = 6 if field["precision"] is None else int(field["precision"] or 0)
    with decimal.localcontext(rounding=decimal.ROUND_HALF_UP):
        spec = f"{fill}{align}{sign}{field['width']}.{precision}{kind}"
        return format(decimal.Decimal(value), spec)
