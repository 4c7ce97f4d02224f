"""What the doctor says to do about a pause of an application."""

from tests.unit.operate.sites import StubbedAws
from tests.unit.operate.test_pauses import PAUSE, found


def test_a_refused_application_needs_the_permission_to_publish(aws: StubbedAws) -> None:
    error = {"error": "AuthorizationError (403): no"}
    (line,) = found(aws, PAUSE | error | {"channel": "push", "resource": "push/APNS/shop"})
    assert "allow sns:Publish" in line
