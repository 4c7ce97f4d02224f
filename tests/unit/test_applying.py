"""A migration file outside a transaction is divided into statements."""

import pytest

from dovecote.store.schema.applying import is_outside, statements

FILES = {
    "one": ("select 1;\n", ["select 1"]),
    "without an end": ("select 1", ["select 1"]),
    "two": ("select 1;\nselect 2;", ["select 1", "select 2"]),
    "a space behind": ("select 1;  \nselect 2; ", ["select 1", "select 2"]),
    "a semicolon in a line": (
        "select ';' || '; ', 2;\nselect 3;",
        ["select ';' || '; ', 2", "select 3"],
    ),
    "comments alone": ("-- Outside a transaction.\n\n-- Nothing.\n", []),
    "a comment before": ("-- Why;\n-- so.\nselect 1;\n", ["-- so.\nselect 1"]),
    "nothing": ("", []),
}


@pytest.mark.parametrize(("text", "expected"), FILES.values(), ids=FILES)
def test_statements_end_with_a_semicolon_at_the_end_of_a_line(
    text: str, expected: list[str]
) -> None:
    assert list(statements(text)) == expected


@pytest.mark.parametrize(
    ("text", "outside"),
    [("-- Outside a transaction.\nselect 1", True), ("select 1", False), ("", False)],
)
def test_a_file_says_in_its_first_line_that_it_is_applied_outside_a_transaction(
    text: str, outside: bool
) -> None:
    assert is_outside(text) == outside
