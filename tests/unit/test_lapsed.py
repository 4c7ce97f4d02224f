"""The search for lapsed leases examines few routes at a time and misses none."""

import math
import random
from bisect import bisect_left
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from dovecote.dispatch.lapsed import EXAMINED, LANES, MOST_ALIKE, LapsedSearch
from dovecote.dispatch.ports import Examined, Window

NOW = 1_800_000_000.0


class Lane:
    """Due routes of one lane, by their due times; one of them is lapsed."""

    def __init__(self, due: Sequence[float], lapsed: int) -> None:
        self.due = sorted(due)
        self.ids = [uuid4() for _ in due]
        self.lapsed = self.ids[lapsed]
        self.most = 0
        self.at = NOW

    def examine(self, windows: Sequence[Window]) -> list[Examined]:
        self.at += 1
        self.most = max(self.most, sum(window.most for window in windows))
        return [self._one(window) for window in windows]

    def _one(self, window: Window) -> Examined:
        first = bisect_left(self.due, window.since if self.at < window.until else -math.inf)
        due, ids = (some[first : first + window.most] for some in (self.due, self.ids))
        return Examined(
            count=len(due),
            first=due[0] if due else math.inf,
            last=due[-1] if due else -math.inf,
            lapsed=[one for one in ids if one == self.lapsed],
            at=self.at,
        )


def looks(lane: Lane, search: LapsedSearch, most: int) -> int:
    """Return how many looks find the lapsed route."""
    for count in range(1, most + 1):
        if search.look([8], lane.examine):
            assert search.found == [lane.lapsed]
            return count
    raise AssertionError(f"not found by {most} looks")


def at_different_times(count: int) -> list[float]:
    return [NOW - count + place for place in range(count)]


@pytest.mark.parametrize("seed", range(20))
def test_a_lapsed_route_is_found_wherever_it_is_and_no_look_examines_more_than_two_windows(
    seed: int,
) -> None:
    chance = random.Random(seed)
    count = chance.randrange(1, 5_000)
    lane = Lane(at_different_times(count), chance.randrange(count))
    assert looks(lane, LapsedSearch(), 2 + count // 99) >= 1
    assert lane.most <= 2 * EXAMINED


@pytest.mark.parametrize("count", [1, 6, 7, 48])
def test_many_lanes_share_what_a_look_examines_and_each_lapsed_route_is_found(count: int) -> None:
    lanes = [Lane(at_different_times(500), place * 10) for place in range(count)]
    search, found, most = LapsedSearch(), set[UUID](), 0

    def examine(windows: Sequence[Window]) -> list[Examined]:
        nonlocal most
        most = max(most, sum(window.most for window in windows))
        return [lanes[window.lane].examine([window])[0] for window in windows]

    for _ in range(3 + 500 // 49 * max(1, count // LANES)):
        search.look(range(count), examine)
        found |= set(search.found)
    assert found == {lane.lapsed for lane in lanes}
    assert most <= 2 * LANES * EXAMINED


@pytest.mark.parametrize("place", [0, EXAMINED - 1])
def test_the_first_look_finds_a_lapsed_route_among_the_oldest(place: int) -> None:
    assert looks(Lane(at_different_times(100_000), place), LapsedSearch(), 1) == 1


@pytest.mark.parametrize("alike", [50, 99, 100, 101, 1_000, MOST_ALIKE])
@pytest.mark.parametrize("seed", range(3))
def test_routes_that_are_due_at_the_same_time_hide_none(seed: int, alike: int) -> None:
    due = [time for time in at_different_times(5) for _ in range(alike)]
    place = random.Random(seed).randrange(len(due))
    assert looks(Lane(due, place), LapsedSearch(), 2 + len(due) // 49) >= 1


def test_a_sweep_ends_although_more_routes_become_due_than_it_examines() -> None:
    lane = Lane(at_different_times(1_000), 500)
    search = LapsedSearch()
    found, lane.lapsed = lane.lapsed, uuid4()
    for look in range(100):
        search.look([8], lane.examine)
        lane.due += [lane.at + place / 1_000 for place in range(500)]
        lane.ids += [uuid4() for _ in range(500)]
        lane.lapsed = found if look >= 8 else lane.lapsed
        if search.found:
            return
    raise AssertionError("the sweep never began again")


@pytest.mark.parametrize("lanes", [1, 6])
def test_a_sweep_goes_on_after_the_cursors_of_the_heads_have_restarted(lanes: int) -> None:
    lane = Lane(at_different_times(3_000), 2_999)
    search = LapsedSearch()
    for _ in range(2 + 3_000 // 99):
        lane.at += 100
        if search.look(range(lanes), lane.examine):
            return
    raise AssertionError("not found")


def test_no_route_is_found_where_none_lapsed() -> None:
    lane = Lane(at_different_times(300), 0)
    lane.lapsed = UUID(int=0)
    search = LapsedSearch()
    assert not any(search.look([8], lane.examine) for _ in range(20))
