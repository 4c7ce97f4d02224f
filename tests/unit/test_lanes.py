"""Lanes: how a batch is shared out."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovecote.channels import NAMES, NUMBERS, lanes
from dovecote.core.notification import Priority

ALL = {lane.number: lane for lane in lanes.ALL}
SHARES = {Priority.HIGH: 0.5, Priority.NORMAL: 0.3, Priority.LOW: 0.2}

rooms = st.integers(0, 5000)
channels = st.sampled_from(NAMES)
chance = st.floats(0, 1, exclude_max=True)


def numbers(channel: str) -> set[int]:
    return {lane.number for lane in lanes.of(channel)}


busy_lanes = channels.flatmap(lambda channel: st.sets(st.sampled_from(sorted(numbers(channel)))))


def exact(busy: set[int], room: int) -> dict[int, float]:
    """Return the share of each lane: its priority's, half for retries, divided by its buckets."""
    alike = Counter((ALL[number].priority, ALL[number].retry) for number in busy)
    weights = {
        number: SHARES[ALL[number].priority] / alike[ALL[number].priority, ALL[number].retry]
        for number in busy
    }
    whole = sum(weights.values())
    return {number: room * weight / whole for number, weight in weights.items()}


def test_every_combination_of_channel_priority_bucket_and_age_is_a_lane_with_its_own_number() -> (
    None
):
    assert len(lanes.ALL) == len(NAMES) * len(Priority) * lanes.BUCKETS * 2
    assert len(ALL) == len(lanes.ALL)


@pytest.mark.parametrize(
    ("priority", "bucket", "retry", "place"),
    [
        # by the constraint of notification_routes
        (Priority.HIGH, 0, False, 0),
        (Priority.HIGH, 0, True, 1),
        (Priority.HIGH, 7, True, 15),
        (Priority.NORMAL, 0, False, 16),
        (Priority.LOW, 7, True, 47),
    ],
)
@pytest.mark.parametrize("channel", NAMES)
def test_a_lane_has_the_number_of_the_column(
    channel: str, priority: Priority, bucket: int, retry: bool, place: int
) -> None:
    lane = lanes.Lane(channel=channel, priority=priority, bucket=bucket, retry=retry)
    assert lane.number == 48 * NUMBERS[channel] + place


@pytest.mark.parametrize("channel", NAMES)
def test_the_lanes_of_a_channel_are_all_of_its_own_the_most_urgent_first(channel: str) -> None:
    own = lanes.of(channel)
    assert {lane.channel for lane in own} == {channel}
    assert [(lane.priority, lane.bucket, lane.retry) for lane in own] == [
        (priority, bucket, retry)
        for priority in Priority
        for bucket in range(lanes.BUCKETS)
        for retry in (False, True)
    ]
    # Dispatch sends a batch in the order of the numbers.
    assert [lane.number for lane in own] == sorted(lane.number for lane in own)


@pytest.mark.parametrize(
    ("busy", "expected"),
    [
        # one kind of each priority: high, normal, low, each fresh and retry
        ({0, 1, 16, 17, 32, 33}, {0: 25, 1: 25, 16: 15, 17: 15, 32: 10, 33: 10}),
        # one kind alone
        ({18}, {18: 100}),
        # four kinds of one priority, and one of another
        ({0, 16, 18, 20, 22}, {0: 63, 16: 9, 18: 9, 20: 10, 22: 9}),
        ({0, 2, 4, 14}, {0: 25, 2: 25, 4: 25, 14: 25}),
    ],
)
@pytest.mark.parametrize("channel", NAMES)
def test_the_default_batch_is_shared_out_as_written_here(
    channel: str, busy: set[int], expected: dict[int, int]
) -> None:
    first = min(numbers(channel))
    shared = lanes.shares({first + place for place in busy}, 100, lambda: 0.5)
    assert shared == {first + place: quota for place, quota in expected.items()}


@given(busy=busy_lanes, room=rooms, random=chance)
def test_the_shares_are_the_room_and_each_is_the_exact_one_rounded_up_or_down(
    busy: set[int], room: int, random: float
) -> None:
    shared = lanes.shares(busy, room, lambda: random)
    assert sum(shared.values()) == (room if busy else 0)
    assert set(shared) <= busy
    assert all(quota > 0 for quota in shared.values())
    for number, share in exact(busy, room).items():
        assert abs(shared.get(number, 0) - share) < 1.001


@pytest.mark.parametrize("room", [0, 1, 2, 3, 7, 14, 100])
@pytest.mark.parametrize("kinds", [1, 3, 8])
def test_over_many_batches_each_lane_has_its_share_however_small_the_room(
    room: int, kinds: int
) -> None:
    random, batches = Random(room), 5_000
    busy = {lane.number for lane in lanes.of(NAMES[0]) if lane.bucket < kinds}
    asked: Counter[int] = Counter()
    for _ in range(batches):
        asked.update(lanes.shares(busy, room, random.random))
    assert asked.total() == room * batches
    for number, share in exact(busy, room).items():
        assert asked[number] / batches == pytest.approx(share, abs=0.04), number


@given(
    channel=channels,
    room=st.integers(1, 500),
    due=st.dictionaries(st.integers(0, 47), st.integers(0, 500)),
    random=chance,
)
def test_unused_shares_go_to_the_lanes_that_have_more(
    channel: str, room: int, due: dict[int, int], random: float
) -> None:
    first, rounds = min(numbers(channel)), 0
    busy = {first + place for place in due}
    left, missing = {first + place: count for place, count in due.items()}, room
    quotas = lanes.shares(busy, room, lambda: random)
    while quotas:
        rounds += 1
        for number, quota in quotas.items():
            taken = min(quota, left[number])
            left[number] -= taken
            missing -= taken
            if taken < quota:
                busy.remove(number)
        quotas = lanes.shares(busy, missing, lambda: random)
    assert room - missing == min(room, sum(due.values()))
    assert rounds <= 1 + len(due)
