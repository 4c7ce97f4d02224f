"""The life of a route, a comment a row of the design's table, and how long a retry waits."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovecote.model import Channel, Delivered, Failed, NotBegun, Outcome, Permanent, Reason
from dovecote.transitions import (
    Backoff,
    DeadLetter,
    GiveBack,
    Publish,
    Retry,
    Transition,
    after,
    ended,
)
from tests.unit.examples import a_claim, default_backoff

PLAIN = Backoff(base=30.0, factor=2.0, maximum=3600.0, jitter=0.0)

chance = st.floats(0, 1, exclude_max=True)
attempts = st.integers(-3, 40) | st.integers(1, 10**9) | st.just(10**9) | st.just(10**400)
seconds = st.floats(0, 1e9)
backoffs = st.builds(
    Backoff, base=seconds, factor=st.floats(1, 1e6), maximum=seconds, jitter=st.floats(-1, 1)
)


def middle() -> float:
    return 0.5


@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.PUSH])
@pytest.mark.parametrize(
    ("attempt", "outcome", "expected"),
    [
        # delivered: published, with the provider's id
        (1, Delivered(message_id="m-1"), Publish(message_id="m-1")),
        # delivered at the last attempt is delivered all the same
        (5, Delivered(message_id="m-1"), Publish(message_id="m-1")),
        # and past it too: what the provider accepted is no dead letter
        (6, Delivered(message_id="m-1"), Publish(message_id="m-1")),
        # failed, attempts < max_attempts: retrying, after backoff(attempts)
        (1, Failed(error="busy"), Retry(delay=30.0, error="busy")),
        (4, Failed(error="busy"), Retry(delay=240.0, error="busy")),
        # failed, attempts = max_attempts: dead letter
        (5, Failed(error="busy"), DeadLetter(reason=Reason.ATTEMPTS, error="busy")),
        # failed, attempts > max_attempts: dead letter
        (6, Failed(error="busy"), DeadLetter(reason=Reason.ATTEMPTS, error="busy")),
        # permanent: dead letter at the first attempt
        (1, Permanent(error="no"), DeadLetter(reason=Reason.PERMANENT, error="no")),
        # permanent at the last attempt keeps its reason
        (5, Permanent(error="no"), DeadLetter(reason=Reason.PERMANENT, error="no")),
        # claimed, but not begun: given back
        (1, NotBegun(), GiveBack()),
        # not begun at the last attempt: given back, no dead letter
        (5, NotBegun(), GiveBack()),
    ],
)
def test_an_outcome_makes_what_the_table_says_of_a_route(
    channel: Channel, attempt: int, outcome: Outcome, expected: Transition
) -> None:
    claim = a_claim(channel=channel, attempts=attempt, max_attempts=5)
    assert after(claim, outcome, PLAIN, middle) == expected


@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.PUSH])
@pytest.mark.parametrize(
    ("expires_in", "counted", "expected"),
    [
        # in time and counted: to be tried
        (0.001, True, None),
        # claimed past expires_at: dead letter, without an error of its own
        (0.0, True, DeadLetter(reason=Reason.EXPIRED, error=None)),
        (-1.0, True, DeadLetter(reason=Reason.EXPIRED, error=None)),
        # claimed at max attempts: dead letter, not counted
        (60.0, False, DeadLetter(reason=Reason.ATTEMPTS, error=None)),
        # both: it expired
        (-1.0, False, DeadLetter(reason=Reason.EXPIRED, error=None)),
    ],
)
def test_a_route_that_is_claimed_too_late_ends_without_a_send(
    channel: Channel, expires_in: float, counted: bool, expected: DeadLetter | None
) -> None:
    assert ended(a_claim(channel=channel, expires_in=expires_in, counted=counted)) == expected


@given(attempt=st.integers(1, 100), maximum=st.integers(1, 100))
def test_a_failed_route_is_retried_exactly_while_it_has_attempts_left(
    attempt: int, maximum: int
) -> None:
    claim = a_claim(attempts=attempt, max_attempts=maximum)
    transition = after(claim, Failed(error="busy"), PLAIN, middle)
    assert isinstance(transition, Retry) == (attempt < maximum)


@pytest.mark.parametrize(
    ("attempt", "plain", "least", "most"),
    [
        # 30 s, doubled each time, at most an hour; a fifth less or more by chance
        (1, 30, 24, 36),
        (2, 60, 48, 72),
        (3, 120, 96, 144),
        (4, 240, 192, 288),
        (5, 480, 384, 576),
        (6, 960, 768, 1152),
        (7, 1920, 1536, 2304),
        (8, 3600, 2880, 4320),
        (9, 3600, 2880, 4320),
    ],
)
def test_the_default_schedule_is_the_one_written_here(
    attempt: int, plain: float, least: float, most: float
) -> None:
    backoff = default_backoff()
    assert backoff.delay(attempt, middle) == pytest.approx(plain)
    assert backoff.delay(attempt, lambda: 0.0) == pytest.approx(least)
    assert backoff.delay(attempt, lambda: math.nextafter(1, 0)) == pytest.approx(most)


@pytest.mark.parametrize("attempt", [1, 0, -1, -(10**9)])
def test_the_first_attempt_and_anything_below_wait_the_jittered_base(attempt: int) -> None:
    assert default_backoff().delay(attempt, lambda: 0.0) == pytest.approx(24)


@pytest.mark.parametrize("jitter", [0.0, -0.5, -7.0])
@given(attempt=st.integers(1, 60))
def test_no_jitter_leaves_the_plain_delay_and_asks_no_chance(jitter: float, attempt: int) -> None:
    def unasked() -> float:
        raise AssertionError("chance was asked")

    delay = default_backoff(jitter=jitter).delay(attempt, unasked)
    assert delay == min(3600.0, 30.0 * 2.0 ** (attempt - 1))


@given(backoff=backoffs, attempt=attempts, random=chance)
def test_a_delay_is_finite_never_negative_and_bounded(
    backoff: Backoff, attempt: int, random: float
) -> None:
    delay = backoff.delay(attempt, lambda: random)
    assert math.isfinite(delay)
    assert 0 <= delay <= backoff.maximum * (1 + max(0.0, backoff.jitter))


@given(base=seconds, jitter=st.floats(1, 100), random=chance)
def test_more_jitter_than_delay_is_never_a_negative_delay(
    base: float, jitter: float, random: float
) -> None:
    backoff = Backoff(base=base, factor=2.0, maximum=1e9, jitter=jitter)
    assert backoff.delay(1, lambda: random) >= 0


@given(backoff=backoffs, attempt=attempts)
def test_without_jitter_a_later_attempt_never_waits_less(backoff: Backoff, attempt: int) -> None:
    plain = Backoff(base=backoff.base, factor=backoff.factor, maximum=backoff.maximum, jitter=0)
    assert plain.delay(attempt, middle) <= plain.delay(attempt + 1, middle)


@pytest.mark.parametrize("attempt", [1, 2, 2000, 10**9])
def test_a_base_of_nothing_waits_for_nothing_however_late_the_attempt(attempt: int) -> None:
    assert default_backoff(base=0.0).delay(attempt, middle) == 0
