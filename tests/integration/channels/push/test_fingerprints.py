"""The fingerprint of a notification to users is the same in Python as in SQL."""

from typing import Any

import psycopg
import pytest

from tests.functions import Functions
from tests.integration.test_fingerprints import WITHOUT_ADDRESS, in_sql, wired
from tests.store import HASHES

__all__ = ["wired"]


@pytest.mark.parametrize("vector", WITHOUT_ADDRESS, ids=lambda vector: vector["name"])
def test_a_submit_in_sql_gives_the_vector(
    wired: Functions, connection: psycopg.Connection[Any], vector: dict[str, Any]
) -> None:
    assert in_sql(wired, connection, vector) == HASHES.fingerprint(vector["digest"])
