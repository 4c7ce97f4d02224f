"""What the bench makes of its numbers."""

from xml.etree import ElementTree

import pytest

from bench import floor
from bench.report import Table, against, between, markdown, number, picture, ratio, spread, times


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
