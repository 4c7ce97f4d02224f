"""What deliveries came to: counts by outcome, and a fair sample of how long they took."""

import random
import uuid
from collections import Counter

import pytest

from dovecote.aws.measurements import MEASURED, MOST, Measurements
from dovecote.core.outcome import Delivered, Failed, NotBegun, Outcome, Permanent, Result
from tests.unit.examples import a_claim

ACCEPTED = Delivered(message_id="m")


def measures(seed: int = 1, now: float = 1000.0) -> Measurements:
    return Measurements(now=lambda: now, sample=random.Random(seed).sample)


def results(*outcomes: Outcome, channel: str = "email", due: float = 0.0) -> list[Result]:
    claim = a_claim(route_id=uuid.uuid4(), channel=channel, attempts=2, due=due)
    return [Result(claim=claim, outcome=outcome) for outcome in outcomes]


def test_outcomes_are_counted_by_channel_and_what_was_not_begun_is_not() -> None:
    measured = measures()
    measured.settled(results(ACCEPTED, ACCEPTED, Failed(error="e"), NotBegun()))
    measured.settled(results(Permanent(error="e"), channel="push"))
    taken = measured.take()
    assert {name: taken[name] for name in taken if name.startswith(("email", "push"))} == {
        "email_delivered": [2], "email_failed": [1], "push_permanent": [1],
    }  # fmt: skip
    assert set(taken) <= set(MEASURED)
    assert measured.take() == {}


def test_what_was_delivered_says_how_often_it_was_tried_and_how_long_after_it_was_due() -> None:
    measured = measures(now=1000.0)
    measured.settled(results(ACCEPTED, Failed(error="e"), due=990.5))
    # A worker's clock may be behind the database's.
    measured.settled(results(ACCEPTED, due=1000.2))
    measured.sent(0.25)
    taken = measured.take()
    assert taken["attempts_to_success"] == [2, 2]
    assert sorted(taken["delivery_seconds"]) == [0.0, 9.5]
    assert taken["send_seconds"] == [0.25]


def test_of_many_values_each_has_the_same_chance_to_be_kept() -> None:
    kept: Counter[int] = Counter()
    for seed in range(200):
        measured = measures(seed)
        for value in range(1000):
            measured.sent(value)
        values = measured.take()["send_seconds"]
        assert len(values) == len(set(values)) == MOST
        kept.update(int(value) // 250 for value in values)
    share = 200 * MOST / 4
    assert all(abs(count - share) < 6 * share**0.5 for count in kept.values()), kept


@pytest.mark.parametrize("count", [1, MOST - 1, MOST, MOST + 1, 5000])
def test_a_line_takes_no_more_values_of_a_metric_than_cloudwatch_takes(count: int) -> None:
    measured = measures()
    measured.settled(results(*[ACCEPTED] * count))
    taken = measured.take()
    assert taken["email_delivered"] == [count]
    assert len(taken["delivery_seconds"]) == len(taken["attempts_to_success"]) == min(count, MOST)
