"""What the bench makes of its numbers."""

import os
import sys
import time
from xml.etree import ElementTree

import pytest

from bench import floor, growth, paper
from bench.report import (
    Table,
    Target,
    against,
    between,
    markdown,
    number,
    picture,
    ratio,
    spread,
    targets_met,
    times,
)
from bench.rounds import rounds
from dovecote.dispatch import scale_out


def test_a_ratio_compares_within_each_round() -> None:
    # The machine was half as fast in the second round, for both.
    assert ratio([100, 50, 80], [50, 25, 100]) == 2


def test_a_ratio_refuses_rounds_that_do_not_go_together() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratio([1, 2], [1])


@pytest.mark.parametrize(
    ("value", "written"), [(12_345.6, "12,346"), (100, "100"), (99.94, "99.9"), (0.1234, "0.123")]
)
def test_numbers_are_written_for_people(value: float, written: str) -> None:
    assert number(value) == written


def test_the_range_goes_with_the_median_where_there_were_rounds() -> None:
    assert spread([3000, 1000, 2000]) == "2,000 (1,000 to 3,000)"
    assert spread([1000]) == "1,000"


def test_a_ratio_has_two_digits_only_where_they_matter() -> None:
    assert times([130], [100]) == "1.30x"
    assert times([4600], [100]) == "46x"


def test_each_row_stands_beside_the_ratio_of_ours_to_it() -> None:
    measured = [{"ours": [200.0], "theirs": [100.0]}, {"ours": [300.0], "theirs": [100.0]}]
    assert against("ours", measured) == {
        "ours": ["200", "", "300", ""],
        "theirs": ["100", "2.00x", "100", "3.00x"],
    }


def test_a_table_is_markdown() -> None:
    table = Table(title="T", note="N.", columns=("a", "b"), rows={"r": ("1", "2")})
    assert markdown(table) == "### T\n\nN.\n\n|  | a | b |\n|---|---:|---:|\n| r | 1 | 2 |\n"


@pytest.mark.parametrize(
    ("target", "reached"),
    [
        (Target(what="", rounds=[1.2, 1.4, 1.3], least=1.3), True),
        (Target(what="", rounds=[1.2, 1.4, 1.29], least=1.3), False),
        (Target(what="", rounds=[1.2, 1.4, 1.3], most=1.3), True),
        (Target(what="", rounds=[1.2, 1.4, 1.31], most=1.3), False),
    ],
)
def test_the_median_of_the_rounds_reaches_a_target(target: Target, reached: bool) -> None:
    assert target.reached is reached


def test_where_it_stands_names_the_target_the_median_the_range_and_the_end() -> None:
    targets = [
        Target(what="drain over theirs", rounds=[1.5, 1.1, 1.2], least=1.3),
        Target(what="deliveries of the ceiling", rounds=[0.96], least=0.95, unit="%"),
        Target(what="emails a second", rounds=[700], least=600, unit=""),
    ]
    table = Table(title="T", note="N.", columns=(), rows={}, targets=targets)
    assert targets_met([table, table]).splitlines()[2:5] == [
        "| drain over theirs | at least 1.30x | 1.20x (1.10x to 1.50x) | not reached |",
        "| deliveries of the ceiling | at least 95% | 96% | reached |",
        "| emails a second | at least 600 | 700 | reached |",
    ]
    assert len(targets_met([table, table]).splitlines()) == 8


def test_each_round_goes_through_all() -> None:
    order: list[str] = []
    found = rounds(2, {"a": lambda: order.append("a"), "b": lambda: order.append("b")})
    assert sorted(order[:2]) == sorted(order[2:]) == ["a", "b"]
    assert {name: len(each) for name, each in found.items()} == {"a": 2, "b": 2}


@pytest.mark.parametrize(
    ("due", "rate", "most", "dispatchers"),
    [
        (0, None, 8, []),
        (100, None, 8, [1]),
        (101, None, 8, [2]),
        # As many as may be, until what is left is worth fewer.
        (950, None, 4, [4, 4, 2]),
        # A rate of 3 a second is 180 a minute: two dispatchers, whatever is due.
        (500, 3, 8, [2, 2, 2]),
    ],
)
def test_a_backlog_on_paper_is_drained_minute_by_minute(
    due: int, rate: float | None, most: int, dispatchers: list[int]
) -> None:
    assert paper.drained(due, rate, run=100, most=most) == dispatchers


def test_the_backlogs_on_paper_stand_around_what_one_run_delivers() -> None:
    run = scale_out.one_run(paper.DEFAULTS.dispatch_concurrency)
    assert {run, run + 1} <= set(paper.BACKLOGS)


def test_only_what_is_between_the_marks_is_replaced() -> None:
    assert between("x<b>old<e>y", "<b>", "<e>", "new\n") == "x<b>\nnew\n<e>y"
    with pytest.raises(ValueError, match="no <b>"):
        between("x", "<b>", "<e>", "new")


def test_the_picture_has_a_bar_for_each_and_is_xml() -> None:
    drawn = ElementTree.fromstring(picture("A & B", {"ours": 200, "theirs": 100}, "ours"))  # noqa: S314
    bars = drawn.findall("{*}rect")[1:]
    lengths = [float(bar.attrib["width"]) for bar in bars]
    assert lengths[0] == 2 * lengths[1]


def test_the_floor_leaves_no_parameter_of_the_statements_open() -> None:
    assert "%(" not in floor.script()
    assert "--" not in floor.script()


@pytest.mark.skipif(sys.platform != "linux", reason="the bench measures CPU on Linux only")
def test_the_cpu_of_a_process_is_what_it_says_itself() -> None:
    user_and_system = growth.used(os.getpid())[:2]
    assert sum(user_and_system) == pytest.approx(time.process_time(), abs=0.05)


def test_prose_in_a_table_is_as_long_as_that_of_the_pages() -> None:
    table = Table(title="T", note="word " * 100, columns=(), rows={})
    assert max(map(len, markdown(table).splitlines())) <= 108
