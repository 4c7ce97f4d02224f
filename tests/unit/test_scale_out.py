"""How many dispatchers a backlog is worth."""

import pytest

from dovecote.core.channel_state import Backlog
from dovecote.dispatch import scale_out

RUN = scale_out.one_run(32)


def email(due: int, rate: float | None) -> Backlog:
    return Backlog(channel="email", due=due, rate=rate)


def push(due: int) -> Backlog:
    return Backlog(channel="push", due=due, rate=None)


@pytest.mark.parametrize(("concurrency", "routes"), [(1, 240), (8, 1_920), (32, 7_680)])
def test_one_run_delivers_by_its_sends_at_once(concurrency: int, routes: int) -> None:
    assert scale_out.one_run(concurrency) == routes


@pytest.mark.parametrize(
    ("backlogs", "most", "further"),
    [
        # nothing due, or no channel that does not pause
        ([email(0, 14), push(0)], 8, 0),
        ([], 8, 0),
        # what one run delivers, and one more than that
        ([push(1)], 8, 0),
        ([push(RUN)], 8, 0),
        ([push(RUN + 1)], 8, 1),
        ([push(3 * RUN)], 8, 2),
        # no more than there may be
        ([push(100 * RUN)], 8, 7),
        ([push(100 * RUN)], 2, 1),
        ([push(100 * RUN)], 1, 0),
        # a rate that one dispatcher uses up: 14/s is the first that SES gives, 128/s what one sends
        ([email(100 * RUN, 1)], 8, 0),
        ([email(100 * RUN, 14)], 8, 0),
        ([email(100 * RUN, 128)], 8, 0),
        # one that it does not
        ([email(100 * RUN, 129)], 8, 1),
        ([email(100 * RUN, 500)], 8, 3),
        ([email(100 * RUN, 5_000)], 8, 7),
        # and less due than that lets through
        ([email(RUN, 500)], 8, 0),
        # a rate that is not known yet bounds nothing
        ([email(2 * RUN, None)], 8, 1),
        # each works on all channels at once, so they do not add up
        ([email(2 * RUN, 500), push(3 * RUN)], 8, 2),
        ([email(100 * RUN, 14), push(2 * RUN)], 8, 1),
    ],
)
def test_as_many_are_called_as_the_backlog_the_bound_and_the_rates_justify(
    backlogs: list[Backlog], most: int, further: int
) -> None:
    assert scale_out.further(backlogs, run=RUN, most=most) == further


@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_a_backlog_that_is_counted_to_its_bound_is_worth_as_many_as_the_whole_of_it(
    most: int,
) -> None:
    for due in (1, RUN, RUN + 1, 2 * RUN + 1, 99 * RUN, 99 * RUN + 1, 1_000 * RUN):
        counted = min(due, scale_out.bound(RUN, most))
        whole, seen = (scale_out.further([push(one)], run=RUN, most=most) for one in (due, counted))
        assert whole == seen
