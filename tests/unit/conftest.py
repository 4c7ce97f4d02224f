"""Examples of properties take the time that a busy machine needs; AWS answers as a test says."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.unit.operate.sites import StubbedAws

settings.register_profile("dovecote", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("dovecote")


@pytest.fixture
def aws() -> Iterator[StubbedAws]:
    """Stubbed clients; the code under test must fetch every answer that a test adds."""
    stubbed = StubbedAws()
    yield stubbed
    stubbed.assert_asked()
