"""What the doctor says to do about a pause of an identity."""

from tests.unit.operate.sites import StubbedAws
from tests.unit.operate.test_pauses import PAUSE, found


def test_a_pause_is_reported_with_its_error_and_what_waits(aws: StubbedAws) -> None:
    (line,) = found(aws, PAUSE)
    assert line.startswith(
        "!!  email/example.com is paused, 4 in a row: AccessDeniedException (403): not"
        " authorized; 54 routes wait behind it, the oldest for 540 s — allow ses:SendEmail"
    )
    assert "identity/*" in line
    assert "make deploy ENV=dev" in line
