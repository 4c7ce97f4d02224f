"""The fingerprint of a notification to an address is the same in Python as in SQL."""

from typing import Any

import pytest

from tests.integration.test_fingerprints import VECTORS, WITHOUT_ADDRESS, in_python, parts

WITH_ADDRESS = [vector for vector in VECTORS if vector not in WITHOUT_ADDRESS]


@pytest.mark.parametrize("vector", WITH_ADDRESS, ids=lambda vector: vector["name"])
def test_python_gives_the_vector(vector: dict[str, Any]) -> None:
    assert in_python(*parts(vector)) == vector["fingerprint"]
