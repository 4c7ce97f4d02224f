"""A value that a template of an email cannot cope with fails its own route alone."""

from typing import Any

import psycopg
import pytest

from local.provider import Running
from tests.functions import Functions
from tests.integration.test_bad_values import BAD_TEXTS, assert_refused_alone, wired

__all__ = ["wired"]


@pytest.mark.parametrize("number", BAD_TEXTS.values(), ids=BAD_TEXTS)
def test_submitted_in_sql_it_is_refused_and_the_others_are_sent(
    wired: Functions, connection: psycopg.Connection[Any], provider: Running, number: str
) -> None:
    assert_refused_alone(wired, connection, provider, "of.texts", number)
