"""The fingerprint of a notification to an address is the same in Python as in SQL."""

from typing import Any

import psycopg
import pytest

from tests.functions import Functions
from tests.integration.test_fingerprints import (
    VECTORS,
    WITHOUT_ADDRESS,
    in_python,
    in_sql,
    parts,
    wired,
)
from tests.store import HASHES

__all__ = ["wired"]

WITH_ADDRESS = [vector for vector in VECTORS if vector not in WITHOUT_ADDRESS]


@pytest.mark.parametrize("vector", WITH_ADDRESS, ids=lambda vector: vector["name"])
def test_python_gives_the_vector(vector: dict[str, Any]) -> None:
    assert in_python(*parts(vector)) == vector["digest"]


@pytest.mark.parametrize("vector", WITH_ADDRESS, ids=lambda vector: vector["name"])
def test_a_submit_in_sql_gives_the_vector(
    wired: Functions, connection: psycopg.Connection[Any], vector: dict[str, Any]
) -> None:
    assert in_sql(wired, connection, vector) == HASHES.fingerprint(vector["digest"])
