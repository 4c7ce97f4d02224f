"""Jinja2 for templates of the catalog: sandboxed, with values of JSON.

What compiles them is in compiling.py, which a compiled catalog does not need. Templates that only
print variables are in printing.py.
"""

import operator
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from decimal import Decimal
from functools import cache
from typing import Any

from jinja2 import Template, Undefined, UndefinedError
from jinja2.filters import _GroupTuple
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from dovecote.catalog.templates import decimals, filters, printf
from dovecote.catalog.templates.precompiled import UndefinedVariable, Uses
from dovecote.catalog.templates.printing import escapes
from dovecote.catalog.templates.values import (
    Array,
    CannotPrint,
    Missing,
    Object,
    json_text,
    require,
    text,
    value_of,
)

_ITEMS = (Array, list, tuple)
_VALUES = (str, int, Decimal, *_ITEMS)
_UNKNOWN = "an item that is asked for does not exist"
"""What is said of an item whose name may be the value of a variable."""


class Sandbox(ImmutableSandboxedEnvironment):
    """Where templates are compiled and rendered."""

    intercepted_binops = frozenset(ImmutableSandboxedEnvironment.default_binop_table)
    intercepted_unops = frozenset(ImmutableSandboxedEnvironment.default_unop_table)
    number = staticmethod(cache(decimals.number))
    """What a literal means; templates hold few of them."""

    def __init__(self, loader: Any) -> None:
        super().__init__(
            loader=loader,
            undefined=Missing,
            autoescape=escapes,
            auto_reload=False,
            optimized=False,  # what is computed at once is computed by Python's rules
            finalize=text,
        )
        self.filters = dict(filters.FILTERS)
        self.tests = dict(filters.TESTS)
        self.policies["json.dumps_function"] = json_text

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """Return a plain dict: Jinja's own ChainMap is copied for each rendering, half its time."""
        return {**self.globals, **(d or {})}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return a member; values of JSON have no attributes of Python."""
        if isinstance(obj, Object):
            return obj.member(attribute)
        if isinstance(obj, dict):
            return obj[attribute] if attribute in obj else self.undefined(name=attribute)
        grouped = isinstance(obj, _GroupTuple) and attribute in obj._fields
        if isinstance(obj, _VALUES) and not grouped:
            return self.undefined(name=attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return an item; its name may be a variable's value, and is not said."""
        if isinstance(obj, Object | dict):
            return obj[argument] if argument in obj else self.undefined(_unknown(obj))
        if isinstance(obj, _VALUES):
            try:
                return obj[operator.index(argument)]  # type: ignore[index]
            except (LookupError, TypeError):
                return self.undefined(_unknown(obj))
        found = super().getitem(obj, argument)
        if isinstance(found, Undefined) and found._undefined_exception is UndefinedError:
            return self.undefined(_UNKNOWN)
        return found

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ARG002
        """Calculate in decimals, join texts and lists, or raise TypeError."""
        if decimals.is_number(left) and decimals.is_number(right):
            return decimals.binary(operator, left, right)
        require(left)
        require(right)
        if operator == "%" and isinstance(left, str):
            return printf.filled(left, right)
        return _of_sequences(operator, left, right)

    def call_unop(self, context: Context, operator: str, arg: Any) -> Any:  # noqa: ARG002
        """Return a number, with the other sign where the template has a minus."""
        require(arg)
        return decimals.negative(arg) if operator == "-" else decimals.number(arg)


def _unknown(value: Any) -> str:
    path = getattr(value, "path", None)
    return _UNKNOWN if path is None else f"'{path}[*]' is undefined"


def _of_sequences(sign: str, left: Any, right: Any) -> Any:
    """Add texts or lists, or repeat one; raise TypeError."""
    if sign == "*" and decimals.is_number(left):
        left, right = right, left
    if sign == "*" and isinstance(left, (str, *_ITEMS)) and decimals.is_number(right):
        return _sequence(left) * operator.index(decimals.number(right))
    texts = isinstance(left, str) and isinstance(right, str)
    if sign == "+" and (texts or (isinstance(left, _ITEMS) and isinstance(right, _ITEMS))):
        return _sequence(left) + _sequence(right)
    raise TypeError(f"{sign} needs numbers")


def _sequence(value: Any) -> Any:
    return value if isinstance(value, str) else list(value)


class JinjaTemplate:
    """A compiled template, and the variables that it uses; a check reads all of them."""

    def __init__(self, template: Template, uses: Uses) -> None:
        self._template = template
        self.names = self.reads = uses.names

    def check(self, variables: Mapping[str, Any]) -> None:
        """Raise what rendering raises."""
        self.render(variables)

    def render(self, variables: Mapping[str, Any]) -> str:
        """Return the text; raise UndefinedVariable, or what a filter raises."""
        used = {name: value_of(variables[name], name) for name in self.names if name in variables}
        with _naming_variables():
            return self._template.render(used)


def printed(value: Any, name: str) -> str:
    """Return the text of a variable; raise UndefinedVariable."""
    with _naming_variables():
        return text(value_of(value, name))


@contextmanager
def _naming_variables() -> Iterator[None]:
    """Raise UndefinedVariable for what does not exist or has no text."""
    try:
        yield
    except UndefinedError as error:
        raise UndefinedVariable(str(error.message)) from None
    except (CannotPrint, decimals.OutOfRange) as error:
        raise UndefinedVariable(str(error)) from None
