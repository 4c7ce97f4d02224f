"""Decimal numbers in templates: one arithmetic for payload values and for literals.

It works as `numeric` does in SQL: sums keep the decimals of their terms, and rounding is half up.
"""

import decimal
import operator
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any

MAX_DIGITS = 1000
"""The most digits of a number that a template prints."""

_LIMIT = 999  # of exponents; a payload holds up to 400
_ERRORS = [decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow]
_EXACT = decimal.Context(
    prec=MAX_DIGITS, Emax=_LIMIT, Emin=-_LIMIT, rounding=ROUND_HALF_UP,
    traps=[*_ERRORS, decimal.Inexact],
)  # fmt: skip
_ROUNDED = decimal.Context(
    prec=28, Emax=_LIMIT, Emin=-_LIMIT, rounding=ROUND_HALF_UP, traps=_ERRORS
)

ROUNDING = {"common": ROUND_HALF_UP, "ceil": ROUND_CEILING, "floor": ROUND_FLOOR}


class OutOfRange(ValueError):
    """A number has too many digits to be printed."""


class Number(Decimal):
    """A number of JSON, which prints as plain digits."""

    __slots__ = ()

    def __str__(self) -> str:
        shown = Decimal.__str__(self)
        is_plain = len(shown) <= MAX_DIGITS and "E" not in shown and shown[0] != "-"
        return shown if is_plain else digits(self)

    def __index__(self) -> int:
        """Return the number as a position or a count; raise TypeError with a fraction."""
        if self != self.to_integral_value():
            raise TypeError("a whole number is needed")
        return int(self)

    def __eq__(self, other: object) -> bool:
        """Compare by value; a boolean is never a number."""
        return not isinstance(other, bool) and Decimal.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = Decimal.__hash__


@lru_cache(1024)
def whole_number(value: int) -> Number:
    """Return a number of Python's int; lists of small numbers are common."""
    return Number(value)


def number(value: Any) -> Number:
    """Return a number of JSON, of Python or of a text; raise TypeError or ValueError."""
    if isinstance(value, Number):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise TypeError(f"{type(value).__name__} is not a number")
    try:
        made = Number(repr(value) if isinstance(value, float) else value)
    except decimal.InvalidOperation:
        raise ValueError("the text is not a number") from None
    if not made.is_finite():
        raise ValueError("the number is not finite")
    return made


def is_number(value: Any) -> bool:
    """Return whether a value is a number, which true and false are not."""
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def digits(value: Decimal) -> str:
    """Return a number in plain digits, as 10000000 for 1.0E7; raise OutOfRange."""
    if max(value.adjusted() + 1, 1) + _decimals(value) > MAX_DIGITS:
        raise OutOfRange(f"a number of more than {MAX_DIGITS} digits cannot be printed")
    return format(Decimal(value) if value else abs(value), "f")


def binary(sign: str, left: Any, right: Any) -> Number:
    """Return what an operator makes of two numbers; raise TypeError or ArithmeticError.

    Exact results keep up to MAX_DIGITS digits, others are rounded to 28.
    """
    first, second = number(left), number(right)
    result = _calculated(_BINARY[sign], first, second)
    if not result.is_finite():
        raise ZeroDivisionError
    return Number(_trimmed(result, max(_decimals(first), _decimals(second))))


def negative(value: Any) -> Number:
    """Return a number with the other sign."""
    return Number(number(value).copy_negate())


def rounded(value: Any, precision: int, rounding: str) -> Number:
    """Return a number with so many decimals; fewer than none round to tens, hundreds and so on."""
    with decimal.localcontext(_EXACT) as context:
        context.traps[decimal.Inexact] = False
        return Number(number(value).quantize(Decimal(1).scaleb(-precision), rounding))


def whole(value: Any) -> Number:
    """Return a number without its decimals."""
    return Number(number(value).to_integral_value(decimal.ROUND_DOWN))


def _calculated(operation: Callable[[Decimal, Decimal], Decimal], *terms: Decimal) -> Decimal:
    try:
        with decimal.localcontext(_EXACT):
            return operation(*terms)
    except decimal.Inexact:
        with decimal.localcontext(_ROUNDED):
            return operation(*terms)


def _floor_divide(left: Decimal, right: Decimal) -> Decimal:
    return (left - _modulo(left, right)) // right


def _modulo(left: Decimal, right: Decimal) -> Decimal:
    """Return the remainder with the sign of the divisor."""
    remainder = left % right
    return remainder + right if remainder and (remainder < 0) != (right < 0) else remainder


_BINARY: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": _floor_divide,
    "%": _modulo,
    "**": operator.pow,
}


def _decimals(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def _trimmed(value: Decimal, decimals: int) -> Decimal:
    """Return a number without the zeros at its end that are beyond so many decimals."""
    while _decimals(value) > decimals and value.as_tuple().digits[-1] == 0:
        value = value.quantize(Decimal(1).scaleb(1 - _decimals(value)), context=_ROUNDED)
    return value
