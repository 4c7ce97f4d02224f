"""Lanes: how a batch is shared out."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovecote.channels import NAMES, NUMBERS, lanes
from dovecote.core.notification import Priority

ALL = {lane.number for lane in lanes.ALL}
RETRIES = {lane.number for lane in lanes.ALL if lane.retry}
SHARES = {Priority.HIGH: 0.5, Priority.NORMAL: 0.3, Priority.LOW: 0.2}

rooms = st.integers(0, 5000)
channels = st.sampled_from(NAMES)
chance = st.floats(0, 1, exclude_max=True)


def numbers(channel: str) -> set[int]:
    return {lane.number for lane in lanes.of(channel)}


def test_every_combination_of_channel_priority_and_age_is_a_lane_with_its_own_number() -> None:
    assert len(lanes.ALL) == len(NAMES) * len(Priority) * 2
    assert len(ALL) == len(lanes.ALL)


@pytest.mark.parametrize(
    ("priority", "retry", "place"),
    [
        # what the generated column of notification_routes computes
        (Priority.HIGH, False, 0),
        (Priority.HIGH, True, 1),
        (Priority.NORMAL, False, 2),
        (Priority.LOW, True, 5),
    ],
)
@pytest.mark.parametrize("channel", NAMES)
def test_a_lane_has_the_number_of_the_column(
    channel: str, priority: Priority, retry: bool, place: int
) -> None:
    number = 6 * NUMBERS[channel] + place
    assert lanes.Lane(channel=channel, priority=priority, retry=retry).number == number


@pytest.mark.parametrize("channel", NAMES)
def test_the_lanes_of_a_channel_are_all_of_its_own_the_most_urgent_first(channel: str) -> None:
    own = lanes.of(channel)
    assert {lane.channel for lane in own} == {channel}
    assert [(lane.priority, lane.retry) for lane in own] == [
        (priority, retry) for priority in Priority for retry in (False, True)
    ]
    # Dispatch sends a batch in the order of the numbers.
    assert [lane.number for lane in own] == sorted(lane.number for lane in own)


@pytest.mark.parametrize("channel", NAMES)
def test_the_default_batch_is_shared_out_as_written_here(channel: str) -> None:
    first = min(numbers(channel))
    assert lanes.shares(channel, 100, lambda: 0.5) == {
        # high, normal, low: fresh and retry
        first: 25, first + 1: 25,
        first + 2: 15, first + 3: 15,
        first + 4: 10, first + 5: 10,
    }  # fmt: skip


@given(channel=channels, room=rooms, random=chance)
def test_the_shares_are_the_room_and_never_more(channel: str, room: int, random: float) -> None:
    assert sum(lanes.shares(channel, room, lambda: random).values()) == room


@pytest.mark.parametrize("channel", NAMES)
@pytest.mark.parametrize("room", [0, 1, 2, 3, 7, 100])
def test_over_many_batches_each_lane_has_its_share_however_small_the_room(
    channel: str, room: int
) -> None:
    random, batches = Random(room), 20_000
    asked: Counter[int] = Counter()
    for _ in range(batches):
        shared = lanes.shares(channel, room, random.random)
        assert sum(shared.values()) == room
        asked.update(shared)
    for lane in lanes.of(channel):
        share = room * SHARES[lane.priority] / 2
        assert asked[lane.number] / batches == pytest.approx(share, abs=0.02), lane


@given(channel=channels, room=rooms, random=chance)
def test_a_share_is_the_exact_one_rounded_up_or_down(
    channel: str, room: int, random: float
) -> None:
    shared = lanes.shares(channel, room, lambda: random)
    for lane in lanes.of(channel):
        assert abs(shared.get(lane.number, 0) - room * SHARES[lane.priority] / 2) < 1.001


@given(channel=channels, room=rooms, random=chance)
def test_retries_are_at_most_half_but_for_what_goes_by_chance(
    channel: str, room: int, random: float
) -> None:
    shared = lanes.shares(channel, room, lambda: random)
    retries = sum(quota for number, quota in shared.items() if number in RETRIES)
    assert abs(retries - room / 2) <= 2


@given(channel=channels, room=rooms, random=chance)
def test_no_lane_is_asked_for_nothing_and_none_of_another_channel(
    channel: str, room: int, random: float
) -> None:
    shared = lanes.shares(channel, room, lambda: random)
    assert all(quota > 0 for quota in shared.values())
    assert set(shared) <= numbers(channel)


@given(channel=channels, room=rooms, random=chance, dry=st.sets(st.integers(0, 11)))
def test_lanes_that_were_dry_are_asked_for_a_few_and_the_others_for_what_is_left(
    channel: str, room: int, random: float, dry: set[int]
) -> None:
    shared = lanes.shares(channel, room, lambda: random, dry)
    assert sum(shared.values()) == room
    wet = numbers(channel) - dry
    if room >= lanes.ROOMY and wet:
        assert set(shared) == numbers(channel)
        assert sum(shared[number] for number in wet) >= room * 0.9
    else:
        assert shared == lanes.shares(channel, room, lambda: random)


@given(channel=channels, missing=st.integers(-10, 5000), dry=st.sets(st.integers(0, 11)))
def test_the_rest_comes_from_lanes_that_are_not_dry_and_is_what_is_missing(
    channel: str, missing: int, dry: set[int]
) -> None:
    filled = lanes.rest(channel, missing, dry)
    assert not set(filled) & dry
    assert set(filled) <= numbers(channel)
    assert all(quota > 0 for quota in filled.values())
    assert sum(filled.values()) == (max(0, missing) if numbers(channel) - dry else 0)


@pytest.mark.parametrize("channel", NAMES)
@pytest.mark.parametrize(
    ("missing", "dry", "expected"),
    [
        (1, set(), {0: 1}),
        (5, {0, 1, 2}, {3: 2, 4: 2, 5: 1}),
        (8, {1, 3}, {0: 2, 2: 2, 4: 2, 5: 2}),
    ],
)
def test_what_is_left_of_the_rest_goes_to_the_most_urgent(
    channel: str, missing: int, dry: set[int], expected: dict[int, int]
) -> None:
    first = 6 * NUMBERS[channel]
    assert lanes.rest(channel, missing, {first + place for place in dry}) == {
        first + place: quota for place, quota in expected.items()
    }


@given(
    channel=channels,
    room=st.integers(1, 500),
    due=st.dictionaries(st.integers(0, 11), st.integers(0, 500)),
    random=chance,
)
def test_shares_and_rest_together_fill_a_batch_from_whatever_is_due(
    channel: str, room: int, due: dict[int, int], random: float
) -> None:
    left, got, rounds = dict(due), 0, 0
    dry: set[int] = set()
    quotas = lanes.shares(channel, room, lambda: random)
    while quotas:
        rounds += 1
        for number, quota in quotas.items():
            taken = min(quota, left.get(number, 0))
            left[number] = left.get(number, 0) - taken
            got += taken
            if taken < quota:
                dry.add(number)
        quotas = lanes.rest(channel, room - got, dry)
    assert got == min(room, sum(due.get(number, 0) for number in numbers(channel)))
    assert rounds <= 1 + len(numbers(channel))
