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
from dovecote.catalog.templates.json_writer import JsonWriter
from dovecote.catalog.templates.values import is_null, plain, text

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


def _require(value: Any) -> None:
    """Raise UndefinedError for what does not exist."""
    if isinstance(value, Undefined):
        str(value)


def _number(value: Any) -> Number:
    """Return a number; raise TypeError, or UndefinedError with the name of what does not exist."""
    _require(value)
    if not decimals.is_number(value):
        raise TypeError("a filter needs a number")
    return decimals.number(value)


def do_abs(value: Any) -> Number:
    """Return a number without its sign."""
    return Number(_number(value).copy_abs())


def do_round(value: Any, precision: Any = 0, method: str = "common") -> Number:
    """Round a number half up, or by `method` up (ceil) or down (floor)."""
    return decimals.rounded(_number(value), operator.index(precision), decimals.ROUNDING[method])


def do_int(value: Any, default: Any = 0, base: Any = 10) -> Any:
    """Return a value without decimals, or the default where it is not a number."""
    _require(value)
    if isinstance(value, bool):
        return Number(value)
    try:
        if isinstance(value, str) and base != 10:
            return Number(int(value, operator.index(base)))
        return decimals.whole(value)
    except (TypeError, ValueError):
        return default


def do_float(value: Any, default: Any = 0) -> Any:
    """Return a value as a number, or the default where it is none."""
    _require(value)
    if isinstance(value, bool):
        return Number(value)
    try:
        return decimals.number(value)
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


def do_filesizeformat(value: Any, binary: bool = False) -> str:
    """Return a number of bytes as people read it: 13 kB, 4.1 MB."""
    size = decimals.number(value) if isinstance(value, str) else _number(value)
    base, infix = (1024, "i") if binary else (1000, "")
    if size == 1:
        return "1 Byte"
    if size < base:
        return f"{decimals.whole(size)} Bytes"
    power = 1
    while power < 8 and size >= base ** (power + 1):
        power += 1
    unit = ("K" if binary else "k", "M", "G", "T", "P", "E", "Z", "Y")[power - 1]
    shown = decimals.rounded(
        decimals.binary("/", size, base**power), 1, decimals.ROUNDING["common"]
    )
    return f"{shown} {unit}{infix}B"


def do_format(value: Any, *given: Any, **named: Any) -> str:
    """Fill a pattern: "%d of %.2f"."""
    if given and named:
        raise TypeError("format takes values by position or by name, not both")
    return printf.filled(text(value), named or given)


@pass_eval_context
def do_join(eval_ctx: Any, value: Iterable[Any], d: Any = "", attribute: Any = None) -> str:
    """Return the texts of a list's items, with `d` between them."""
    items = _by_attribute(eval_ctx.environment, value, attribute)
    joined: str = sync_do_join(eval_ctx, [text(item) for item in items], text(d))
    return joined


def _by_attribute(environment: Any, value: Iterable[Any], attribute: Any) -> Iterable[Any]:
    if attribute is None:
        return value
    return map(make_attrgetter(environment, attribute), value)


@pass_eval_context
def do_replace(eval_ctx: Any, value: Any, old: Any, new: Any, count: Any = None) -> str:
    """Replace a part of a text, `count` times at most."""
    most = None if count is None else operator.index(count)
    replaced: str = JINJAS["replace"](eval_ctx, text(value), text(old), text(new), most)
    return replaced


def do_urlencode(value: Any) -> str:
    """Quote a value for a URL; an object and a list of pairs become a query."""
    if isinstance(value, Mapping):
        value = value.items()
    elif isinstance(value, str) or not isinstance(value, Iterable):
        return str(_urlencode(text(value)))
    return str(_urlencode([(text(name), text(one)) for name, one in value]))


@pass_eval_context
def do_xmlattr_of(eval_ctx: Any, value: Mapping[str, Any], autospace: bool = True) -> str:
    """Return an object as attributes of HTML; those that are null are left out."""
    shown = {
        name: text(one)
        for name, one in value.items()
        if not is_null(one) and not isinstance(one, Undefined)
    }
    attributes: str = _xmlattr(eval_ctx, shown, autospace)
    return attributes


@pass_environment
def do_attr(environment: Any, value: Any, name: Any) -> Any:
    """Return the member of a name."""
    return environment.getitem(value, name)


def do_items(value: Any) -> Iterable[tuple[str, Any]]:
    """Return the members of an object: their names and values."""
    _require(value)
    if not isinstance(value, Mapping):
        raise TypeError("items needs an object")
    return list(value.items())


def json_text(value: Any, *, indent: Any = None, sort_keys: bool = True) -> str:
    """Return a value as JSON for tojson: in ASCII, numbers in plain digits."""
    step = None if indent is None else " " * operator.index(indent)
    written = JsonWriter(step=step, ascii_only=True, sort_keys=sort_keys)
    return written.text(plain(value))


_urlencode: Filter = JINJAS["urlencode"]
_xmlattr: Filter = JINJAS["xmlattr"]

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
    return not decimals.binary("%", _number(value), _number(by))


_JINJAS_TESTS: Mapping[str, Any] = JINJA_TESTS

TESTS: dict[str, Any] = {
    **_JINJAS_TESTS,
    "divisibleby": is_divisible,
    "even": lambda value: is_divisible(value, 2),
    "float": lambda value: decimals.is_number(value) and not is_whole(value),
    "integer": is_whole,
    "none": is_null,
    "number": decimals.is_number,
    "odd": lambda value: decimals.binary("%", _number(value), 2) == 1,
}
