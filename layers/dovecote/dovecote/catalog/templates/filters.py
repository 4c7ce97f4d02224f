"""The filters and tests of templates, for values of JSON in place of those of Python."""

import operator
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any

from jinja2 import Undefined, pass_environment, pass_eval_context
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.filters import make_attrgetter, sync_do_join
from jinja2.sandbox import SandboxedEnvironment
from jinja2.tests import TESTS as JINJA_TESTS

from dovecote.catalog.templates import decimals, printf
from dovecote.catalog.templates.decimals import Number
from dovecote.catalog.templates.values import is_null, number_of, require, text

Filter = Callable[..., Any]
JINJAS: Mapping[str, Filter] = JINJA_FILTERS

_PRINTING = (
    "capitalize", "center", "e", "escape", "forceescape", "indent", "lower", "safe", "string",
    "striptags", "title", "trim", "truncate", "upper", "urlize", "wordcount", "wordwrap",
)  # fmt: skip
"""Filters of Jinja2 that take the text of a value."""

_COUNTING = ("batch", "slice")
"""Filters of Jinja2 that take a list and a number."""

_OF_PYTHON = ("pprint",)
"""Filters of Jinja2 that print what only Python reads."""


def _adapted(jinjas: Filter, *, prints: bool) -> Filter:
    """Return a filter of Jinja2 that gets the text of its value, and whole numbers as int."""
    place = 1 if hasattr(jinjas, "jinja_pass_arg") else 0

    @wraps(jinjas)
    def adapted(*given: Any, **named: Any) -> Any:
        value = text(given[place]) if prints else given[place]
        more = map(_native, given[place + 1 :])
        return jinjas(*given[:place], value, *more, **{n: _native(v) for n, v in named.items()})

    return adapted


def _native(value: Any) -> Any:
    """Return a whole number as int, which is what the code of Jinja2 counts with."""
    whole = isinstance(value, Number) and value == value.to_integral_value()
    return int(value) if whole else value


def do_abs(value: Any) -> Number:
    """Return a number without its sign."""
    return Number(number_of(value).copy_abs())


def do_round(value: Any, precision: Any = 0, method: str = "common") -> Number:
    """Round a number half up, or by `method` up (ceil) or down (floor)."""
    return decimals.rounded(number_of(value), operator.index(precision), decimals.ROUNDING[method])


def do_int(value: Any, default: Any = 0, base: Any = 10) -> Any:
    """Return a value without decimals, or the default where it is not a number."""
    if isinstance(value, str) and base != 10:
        return _read(lambda text: Number(int(text, operator.index(base))), value, default)
    return _read(decimals.whole, value, default)


def do_float(value: Any, default: Any = 0) -> Any:
    """Return a value as a number, or the default where it is none."""
    return _read(decimals.number, value, default)


def _read(read: Filter, value: Any, default: Any) -> Any:
    """Return what is read of a value, or the default where it cannot be read."""
    require(value)
    try:
        return read(int(value) if isinstance(value, bool) else value)
    except (TypeError, ValueError):
        return default


@pass_environment
def do_sum(
    environment: SandboxedEnvironment, value: Iterable[Any], attribute: Any = None, start: Any = 0
) -> Any:
    """Add the items of a list, or what they have by the name of `attribute`."""
    add: Any = environment.call_binop
    total = start
    for item in _by_attribute(environment, value, attribute):
        total = add(None, "+", total, item)
    return total


def do_filesizeformat(value: Any, binary: bool = False) -> Any:
    """Return a number of bytes as people read it: 13.0 kB, 4.1 MB."""
    size = decimals.number(value) if isinstance(value, str) else number_of(value)
    return JINJAS["filesizeformat"](size, binary)


def do_format(value: Any, *given: Any, **named: Any) -> str:
    """Fill a pattern: "%d of %.2f"."""
    if given and named:
        raise TypeError("format takes values by position or by name, not both")
    return printf.filled(text(value), named or given)


@pass_eval_context
def do_join(eval_ctx: Any, value: Iterable[Any], d: Any = "", attribute: Any = None) -> Any:
    """Return the texts of a list's items, with `d` between them."""
    items = _by_attribute(eval_ctx.environment, value, attribute)
    return sync_do_join(eval_ctx, [text(item) for item in items], text(d))


def _by_attribute(environment: Any, value: Iterable[Any], attribute: Any) -> Iterable[Any]:
    if attribute is None:
        return value
    return map(make_attrgetter(environment, attribute), value)


@pass_eval_context
def do_replace(eval_ctx: Any, value: Any, old: Any, new: Any, count: Any = None) -> Any:
    """Replace a part of a text, `count` times at most."""
    most = None if count is None else operator.index(count)
    return JINJAS["replace"](eval_ctx, text(value), text(old), text(new), most)


def do_urlencode(value: Any) -> Any:
    """Quote a value for a URL; an object and a list of pairs become a query."""
    if isinstance(value, Mapping):
        value = value.items()
    elif isinstance(value, str) or not isinstance(value, Iterable):
        return JINJAS["urlencode"](text(value))
    return JINJAS["urlencode"]([(text(name), text(one)) for name, one in value])


@pass_eval_context
def do_xmlattr_of(eval_ctx: Any, value: Mapping[str, Any], autospace: bool = True) -> Any:
    """Return an object as attributes of HTML; those that are null are left out."""
    shown = {
        name: text(one)
        for name, one in value.items()
        if not is_null(one) and not isinstance(one, Undefined)
    }
    return JINJAS["xmlattr"](eval_ctx, shown, autospace)


@pass_environment
def do_attr(environment: Any, value: Any, name: Any) -> Any:
    """Return the member of a name."""
    return environment.getitem(value, name)


def do_items(value: Any) -> Iterable[tuple[str, Any]]:
    """Return the members of an object: their names and values."""
    require(value)
    if not isinstance(value, Mapping):
        raise TypeError("items needs an object")
    return list(value.items())


FILTERS: dict[str, Filter] = {
    **{name: one for name, one in JINJAS.items() if name not in _OF_PYTHON},
    **{name: _adapted(JINJAS[name], prints=True) for name in _PRINTING},
    **{name: _adapted(JINJAS[name], prints=False) for name in _COUNTING},
    "abs": do_abs,
    "attr": do_attr,
    "filesizeformat": do_filesizeformat,
    "float": do_float,
    "format": do_format,
    "int": do_int,
    "items": do_items,
    "join": do_join,
    "replace": do_replace,
    "round": do_round,
    "sum": do_sum,
    "urlencode": do_urlencode,
    "xmlattr": do_xmlattr_of,
}


def is_whole(value: Any) -> bool:
    """Return whether a value is a number without decimals, as 10, 10.0 and 1e1."""
    return decimals.is_number(value) and value == decimals.whole(value)


def is_divisible(value: Any, by: Any) -> bool:
    """Return whether nothing is left when a number is divided."""
    return not decimals.binary("%", number_of(value), number_of(by))


_JINJAS_TESTS: Mapping[str, Any] = JINJA_TESTS

TESTS: dict[str, Any] = {
    **_JINJAS_TESTS,
    "divisibleby": is_divisible,
    "even": lambda value: is_divisible(value, 2),
    "float": lambda value: decimals.is_number(value) and not is_whole(value),
    "integer": is_whole,
    "none": is_null,
    "number": decimals.is_number,
    "odd": lambda value: decimals.binary("%", number_of(value), 2) == 1,
}
