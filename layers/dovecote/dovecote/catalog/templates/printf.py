"""Text by a pattern, as in "%d of %.2f": what the filter `format` and the operator % make."""

import decimal
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from markupsafe import Markup, escape

from dovecote.catalog.templates import decimals
from dovecote.catalog.templates.values import number_of, text

_Field = re.Match[str]
_FIELD = re.compile(
    r"%(?:\((?P<name>[^)]*)\))?(?P<flags>[#0 +-]*)(?P<width>\d{0,3})(?:\.(?P<precision>\d{0,3}))?"
    r"(?P<type>.)",
    re.DOTALL,
)


def filled(pattern: str, given: Any) -> str:
    """Return a pattern with values in its fields: a tuple, a mapping, or one value.

    Fields are of the types d, i, u, x, X, o, e, E, f, F, g, G and s. Raises TypeError, LookupError
    and ValueError where the values do not fit, and what `text` raises.
    """
    values = iter(given if isinstance(given, tuple) else (given,))

    def shown(field: _Field) -> str:
        if field["type"] == "%":
            return "%"
        part = _SHOWN[field["type"]](field, _value(field, given, values))
        return str(escape(part)) if isinstance(pattern, Markup) else part

    made = type(pattern)(_FIELD.sub(shown, pattern))
    if not isinstance(given, Mapping) and next(values, None) is not None:
        raise TypeError("the pattern has fewer fields than there are values")
    return made


def _value(field: _Field, given: Any, values: Iterator[Any]) -> Any:
    """Return the value of a field."""
    if field["name"] is not None:
        return given[field["name"]]
    for value in values:
        return value
    raise TypeError("the pattern has more fields than there are values")


def _text(field: _Field, value: Any) -> str:
    shown = text(value)
    return type(shown)(_printf(field)) % shown


def _integer(field: _Field, value: Any) -> str:
    return _printf(field) % int(decimals.whole(number_of(value)))


def _decimal(field: _Field, value: Any) -> str:
    """Return a number rounded half up, which a float would not be."""
    number, flags = number_of(value), field["flags"]
    decimals.digits(number)  # raises where there are too many
    sign = "+" if "+" in flags else " " if " " in flags else "-"
    fill = "<" if "-" in flags else "0=" if "0" in flags else ">"
    precision = 6 if field["precision"] is None else int(field["precision"] or 0)
    with decimal.localcontext(rounding=decimal.ROUND_HALF_UP):
        spec = f"{fill}{sign}{field['width']}.{precision}{field['type']}"
        return format(decimal.Decimal(number), spec)


_SHOWN: Mapping[str, Callable[[_Field, Any], str]] = {
    **dict.fromkeys("diuxXo", _integer),
    **dict.fromkeys("eEfFgG", _decimal),
    "s": _text,
}


def _printf(field: _Field) -> str:
    """Return a field without its name."""
    precision = "" if field["precision"] is None else f".{field['precision']}"
    return f"%{field['flags']}{field['width']}{precision}{field['type']}"
