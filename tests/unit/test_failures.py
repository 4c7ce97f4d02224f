"""Errors of our own code are stored by type and place, without words that may hold a value."""

import re

from dovecote.dispatch.sending.failures import without_words


def raised(secret: str) -> Exception:
    try:
        return raises(secret)
    except ValueError as error:
        return error


def raises(secret: str) -> Exception:
    raise ValueError(f"cannot send {secret}")


def test_an_error_is_stored_by_its_type_and_the_line_that_raised_it() -> None:
    text = without_words(raised("ann@example.com"))
    assert re.fullmatch(r"ValueError in test_failures\.py:\d+", text)


def test_an_error_that_was_never_raised_is_stored_by_its_type() -> None:
    assert without_words(ValueError("ann@example.com")) == "ValueError"
