"""Lanes: how a batch is shared out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovecote import lanes
from dovecote.model import Channel, Priority

NUMBERS = {lane.number for lane in lanes.ALL}
RETRIES = {lane.number for lane in lanes.ALL if lane.retry}

batches = st.integers(0, 5000)


def test_every_combination_of_channel_priority_and_age_is_a_lane_with_its_own_number() -> None:
    assert len(lanes.ALL) == len(Channel) * len(Priority) * 2
    assert set(range(len(lanes.ALL))) == NUMBERS


@pytest.mark.parametrize(
    ("channel", "priority", "retry", "number"),
    [
        # what the generated column of notification_routes computes
        (Channel.EMAIL, Priority.HIGH, False, 0),
        (Channel.EMAIL, Priority.HIGH, True, 1),
        (Channel.EMAIL, Priority.LOW, True, 5),
        (Channel.PUSH, Priority.HIGH, False, 6),
        (Channel.PUSH, Priority.NORMAL, False, 8),
        (Channel.PUSH, Priority.LOW, True, 11),
    ],
)
def test_a_lane_has_the_number_of_the_column(
    channel: Channel, priority: Priority, retry: bool, number: int
) -> None:
    assert lanes.Lane(channel=channel, priority=priority, retry=retry).number == number


def test_the_default_batch_is_shared_out_as_written_here() -> None:
    shared = lanes.shares(100)
    by_priority = {
        priority: sum(shared[lane.number] for lane in lanes.ALL if lane.priority is priority)
        for priority in Priority
    }
    assert sum(shared.values()) == 100
    assert by_priority[Priority.HIGH] >= 50
    assert by_priority[Priority.NORMAL] >= 28
    assert by_priority[Priority.LOW] >= 20


@given(batch=batches)
def test_the_shares_are_the_batch_and_never_more(batch: int) -> None:
    assert sum(lanes.shares(batch).values()) == batch


@given(batch=st.integers(12, 5000))
def test_from_twelve_on_every_lane_is_asked(batch: int) -> None:
    assert set(lanes.shares(batch)) == NUMBERS


@given(batch=batches)
def test_retries_are_at_most_half_of_a_batch(batch: int) -> None:
    shared = lanes.shares(batch)
    assert sum(quota for number, quota in shared.items() if number in RETRIES) <= batch / 2


@given(batch=batches)
def test_no_lane_is_asked_for_nothing(batch: int) -> None:
    assert all(quota > 0 for quota in lanes.shares(batch).values())
    assert set(lanes.shares(batch)) <= NUMBERS


def test_a_batch_of_one_goes_to_the_most_urgent_lane() -> None:
    assert lanes.shares(1) == {lanes.ALL[0].number: 1}


@given(missing=st.integers(-10, 5000), dry=st.sets(st.integers(0, 11)))
def test_the_rest_comes_from_lanes_that_are_not_dry_and_is_what_is_missing(
    missing: int, dry: set[int]
) -> None:
    filled = lanes.rest(missing, dry)
    assert not set(filled) & dry
    assert set(filled) <= NUMBERS
    assert sum(filled.values()) == (max(0, missing) if dry != NUMBERS else 0)


@given(batch=st.integers(1, 500), due=st.dictionaries(st.integers(0, 11), st.integers(0, 500)))
def test_shares_and_rest_together_fill_a_batch_from_whatever_is_due(
    batch: int, due: dict[int, int]
) -> None:
    left, got, rounds = dict(due), 0, 0
    dry: set[int] = set()
    quotas = lanes.shares(batch)
    while quotas:
        rounds += 1
        for number, quota in quotas.items():
            taken = min(quota, left.get(number, 0))
            left[number] = left.get(number, 0) - taken
            got += taken
            if taken < quota:
                dry.add(number)
        quotas = lanes.rest(batch - got, dry)
    assert got == min(batch, sum(due.values()))
    assert rounds <= 1 + len(NUMBERS)
