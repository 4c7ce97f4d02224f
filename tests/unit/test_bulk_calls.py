"""How many claims a batch needs for enough bulk calls in flight."""

import pytest

from dovecote.dispatch.sending.bulk_calls import BulkCalls
from tests.unit.examples import a_claim


@pytest.mark.parametrize(
    ("seconds", "rate", "claims", "payload", "wanted"),
    [
        pytest.param(0.2, 1000.0, 50, 100, 200, id="rate times seconds"),
        pytest.param(0.2, 14.0, 50, 100, 2, id="a low rate"),
        pytest.param(0.001, 1000.0, 50, 100, 1, id="a fast provider"),
        pytest.param(0.08, None, 50, 100, 400, id="no rate: what the CPU can send"),
        pytest.param(1.2, None, 50, 100, 500, id="most claims"),
        pytest.param(1.2, None, 5, 100, 80, id="half of the threads"),
        pytest.param(1.2, None, 1, 100, 16, id="single calls"),
        pytest.param(1.2, None, 50, 64 * 1024, 128, id="large payloads"),
    ],
)
def test_a_batch_has_what_the_threads_send_in_the_time_of_a_call(
    seconds: float, rate: float | None, claims: int, payload: int, wanted: int
) -> None:
    calls = BulkCalls(time_limit=10)
    calls.begin([a_claim(payload="x" * payload)] * claims, 1)
    calls.ended(seconds)
    assert calls.wanted(rate, workers=32) == wanted


def test_nothing_is_wanted_before_the_first_call_and_a_slow_one_counts_a_quarter() -> None:
    calls = BulkCalls(time_limit=10)
    calls.begin([], 0)
    assert calls.wanted(1e5, workers=32) == 0
    for seconds in (0.1, 0.5):
        calls.ended(seconds)
    assert calls.seconds == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("seconds", "wanted"), [((1.25,), 500), ((1.26,), 0), ((0.5, 4.0), 0), ((4.0, 0.1, 0.1), 0)]
)
def test_no_calls_are_added_where_calls_take_an_eighth_of_their_time_limit(
    seconds: tuple[float, ...], wanted: int
) -> None:
    calls = BulkCalls(time_limit=10)
    calls.begin([a_claim(payload="x")] * 50, 1)
    for one in seconds:
        calls.ended(one)
    assert calls.wanted(None, workers=32) == wanted
