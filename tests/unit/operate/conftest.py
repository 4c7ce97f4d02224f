"""Fixtures: AWS that answers what a test says."""

from collections.abc import Iterator

import pytest

from tests.unit.operate.sites import StubbedAws


@pytest.fixture
def aws() -> Iterator[StubbedAws]:
    """Stubbed clients; every answer that a test adds has to be fetched."""
    stubbed = StubbedAws()
    yield stubbed
    stubbed.assert_asked()
