"""Congestion: which refusals are isolated, and how much of the rate was accepted."""

import random

import pytest

from dovecote.core.channel_state import Throttling
from dovecote.dispatch.sending.congestion import Congestion


def answers(congestion: Congestion, *accepted: bool) -> bool:
    """Count single sends; return whether they are congestion at any time."""
    detected = False
    for one in accepted:
        congestion.count(int(one), int(not one), of_many=False)
        detected = detected or congestion.detected
    return detected


def test_one_refusal_is_isolated() -> None:
    assert not answers(Congestion(Throttling()), False, *[True] * 100)


def test_three_refusals_among_few_sends_are_congestion() -> None:
    assert answers(Congestion(Throttling()), False, True, False, True, True, False) is False
    assert answers(Congestion(Throttling()), False, False, False)
    assert answers(Congestion(Throttling()), *[False, True] * 4)


@pytest.mark.parametrize("share", [0.001, 0.01])
def test_a_random_share_below_the_tolerated_one_is_seldom_congestion(share: float) -> None:
    chance = random.Random(1)
    runs = [
        answers(Congestion(Throttling()), *(chance.random() >= share for _ in range(1000)))
        for _ in range(100)
    ]
    assert sum(runs) <= 5


@pytest.mark.parametrize("share", [0.1, 0.3, 0.9])
def test_a_share_above_it_is_congestion_within_a_hundred_sends(share: float) -> None:
    chance = random.Random(1)
    runs = [
        answers(Congestion(Throttling()), *(chance.random() >= share for _ in range(150)))
        for _ in range(100)
    ]
    assert sum(runs) >= 95


def test_refused_bulk_requests_are_not_outweighed_by_the_entries_of_others() -> None:
    congestion = Congestion(Throttling())
    for throttled in (1, 0, 1, 0, 1, 1):
        congestion.count(0 if throttled else 50, throttled, of_many=True)
    assert congestion.detected


def test_one_bulk_request_whose_entries_are_all_throttled_is_one_refusal() -> None:
    congestion = Congestion(Throttling())
    congestion.count(0, 50, of_many=True)
    assert (congestion.detected, congestion.throttled) == (False, 1)


def test_throttled_entries_of_one_request_are_congestion_where_they_are_many() -> None:
    few, many = Congestion(Throttling()), Congestion(Throttling())
    few.count(49, 1, of_many=True)
    many.count(14, 36, of_many=True)
    assert (few.detected, many.detected) == (False, True)


def test_counting_goes_on_where_earlier_batches_left_off() -> None:
    assert answers(Congestion(Throttling(requests=2.0)), False)
    assert answers(Congestion(Throttling(entries=3.5)), False)
    assert not answers(Congestion(Throttling(requests=5.0)), True)  # its refusals were others'


def test_a_refused_probe_is_congestion_at_once() -> None:
    assert answers(Congestion(Throttling(limited=True, probing=True)), False)


def test_the_accepted_share_is_that_after_the_first_refusal() -> None:
    congestion = Congestion(Throttling())
    assert congestion.accepted_share == 1
    answers(congestion, *[True] * 50, False, *[True, False] * 10)
    assert congestion.accepted_share == pytest.approx(0.5, abs=0.05)


def test_all_are_refused_where_none_of_several_batches_was_accepted() -> None:
    first, later = Congestion(Throttling()), Congestion(Throttling(requests=4.0))
    answers(first, False, False, False)
    answers(later, False)
    assert (first.refuses_all, later.refuses_all) == (False, True)
    answers(later, True)
    assert not later.refuses_all


def test_only_refusals_and_recovery_are_news() -> None:
    quiet, recovering = Congestion(Throttling()), Congestion(Throttling(requests=1.0))
    answers(quiet, True)
    assert not recovering.is_news
    answers(recovering, True)
    assert (quiet.is_news, recovering.is_news) == (False, True)
