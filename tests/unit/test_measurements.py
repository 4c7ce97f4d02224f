"""What deliveries came to: counts by outcome, and a fair sample of how long they took."""

import random
import uuid
from collections import Counter
from itertools import pairwise

import pytest

from dovecote import channels
from dovecote.aws.measurements import (
    MOST,
    MOST_KEPT,
    OF_CHANNEL,
    Measurements,
    Sample,
    with_pauses,
)
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
    assert taken.keys() == {"email", "push"}
    assert taken["push"] == {"permanent": [1]}
    assert (taken["email"]["delivered"], taken["email"]["failed"]) == ([2], [1])
    assert set(taken["email"]) == {"delivered", "failed", "attempts_to_success", "delivery_seconds"}
    assert set(taken["email"]) <= set(OF_CHANNEL)
    assert measured.take() == {}


def test_samples_are_kept_by_channel() -> None:
    measured = measures(now=1000.0)
    measured.settled([*results(ACCEPTED, due=990.0), *results(ACCEPTED, channel="sms", due=999.0)])
    measured.sent("sms", 0.5)
    taken = measured.take()
    assert taken["email"]["delivery_seconds"] == [10.0]
    assert taken["sms"]["delivery_seconds"] == [1.0]
    assert "send_seconds" not in taken["email"]
    assert taken["sms"]["send_seconds"] == [0.5]


@pytest.mark.parametrize("names", [("email",), ("email", "push"), ("email", "push", "sms")])
def test_each_registered_channel_has_a_pause(
    names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "NAMES", names)
    measured = measures()
    measured.settled(results(Failed(error="e")))
    shown = with_pauses(measured.take(), ["email/example.com", names[-1]])
    assert list(shown) == list(names)
    paused = {name: values["paused"] for name, values in shown.items()}
    assert paused == {name: [float(name == names[-1])] for name in names}
    assert shown["email"]["failed"] == [1]


def test_a_channel_that_left_the_registry_keeps_its_measurements(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(channels, "NAMES", ("email",))
    measured = measures()
    measured.settled(results(Failed(error="e"), channel="push"))
    assert with_pauses(measured.take(), []) == {"email": {"paused": [0]}, "push": {"failed": [1]}}


def test_what_was_delivered_says_how_often_it_was_tried_and_how_long_after_it_was_due() -> None:
    measured = measures(now=1000.0)
    measured.settled(results(ACCEPTED, Failed(error="e"), due=990.5))
    # A worker's clock may be behind the database's.
    measured.settled(results(ACCEPTED, due=1000.2))
    measured.sent("email", 0.25)
    taken = measured.take()["email"]
    assert taken["attempts_to_success"] == [2, 2]
    assert sorted(taken["delivery_seconds"]) == [0.0, 9.5]
    assert taken["send_seconds"] == [0.25]


def test_of_many_values_each_has_the_same_chance_to_be_kept() -> None:
    kept: Counter[int] = Counter()
    for seed in range(200):
        measured = measures(seed)
        for value in range(1000):
            measured.sent("email", value)
        values = measured.take()["email"]["send_seconds"]
        assert len(values) == len(set(values)) == MOST
        kept.update(int(value) // 250 for value in values)
    share = 200 * MOST / 4
    assert all(abs(count - share) < 6 * share**0.5 for count in kept.values()), kept


@pytest.mark.parametrize("count", [1, MOST - 1, MOST, MOST + 1, 5000])
def test_a_line_takes_no_more_values_of_a_metric_than_cloudwatch_takes(count: int) -> None:
    measured = measures()
    measured.settled(results(*[ACCEPTED] * count))
    taken = measured.take()["email"]
    assert taken["delivered"] == [count]
    assert len(taken["delivery_seconds"]) == len(taken["attempts_to_success"]) == min(count, MOST)


@pytest.mark.parametrize("size", [1, 7, 100, 1000, 5000])
def test_values_that_are_kept_are_few_and_at_equal_distances(size: int) -> None:
    values = Sample()
    for first in range(0, 100_000, size):
        values.add(range(first, min(first + size, 100_000)), float)
        assert len(values.kept) <= MOST_KEPT
    distances = {after - before for before, after in pairwise(values.kept)}
    assert (values.kept[0], distances, len(values.kept)) == (0, {128}, 782)
