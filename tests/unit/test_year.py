"""make year compares blocks with limits, and finds the names of statements."""

from collections.abc import Mapping

import pytest

from bench.year.limits import Measured, Rule, exceeded, unmatched
from bench.year.meter import named, skeleton
from bench.year.rules import RULES
from dovecote.store.statements import statement

SMALL, LARGE = 100_000, 10_000_000


def stages(**blocks: tuple[int, int]) -> Mapping[int, Mapping[str, Measured]]:
    """Return two stages with these blocks of each operation."""
    return {
        size: {
            name: Measured(
                operation=name,
                units=2,
                calls=1,
                hit=2 * both[place],
                read=0,
                dirtied=0,
                wal=0,
                ms=0,
            )
            for name, both in blocks.items()
        }
        for place, size in enumerate((SMALL, LARGE))
    }


@pytest.mark.parametrize(
    ("rule", "after", "kept"),
    [
        (Rule(kind="flat", most=1_000), 140, True),
        (Rule(kind="flat", most=1_000), 160, False),
        (Rule(kind="logarithmic", most=1_000), 200, True),
        (Rule(kind="linear", most=1_000), 220, False),
        (Rule(kind="linear", most=110), 120, False),
        (Rule(kind="bounded", most=1_000), 900, True),
        (Rule(kind="bounded", most=1_000), 1_100, False),
    ],
)
def test_blocks_may_grow_by_the_kind_of_an_operation_up_to_its_limit(
    rule: Rule, after: int, kept: bool
) -> None:
    assert (exceeded({"claim": rule}, stages(claim=(100, after))) == []) == kept


@pytest.mark.parametrize(("times", "kept"), [(3, True), (2, False)])
def test_blocks_may_be_a_multiple_of_those_of_another_operation(times: float, kept: bool) -> None:
    rules = {
        "late": Rule(kind="flat", most=1_000, compared_to="early", times=times),
        "early": Rule(kind="flat", most=1_000),
    }
    assert (exceeded(rules, stages(late=(280, 280), early=(100, 100))) == []) == kept


def test_operations_without_rules_and_rules_without_operations_are_reported() -> None:
    assert unmatched({"a": Rule(kind="flat", most=1)}, stages(b=(1, 1))) == ["a", "b"]
    assert all(rule.compared_to in RULES for rule in RULES.values() if rule.compared_to)


# pg_stat_statements removes the first comment, numbers constants, and merges lists.
SHOWN = """select reason, count(*)::integer as open
from (
    select reason
    from dovecote.notification_dead_letters
    where closed_at is null
    order by dead_lettered_at desc
    limit $1
) newest
group by reason
order by reason"""


def test_a_statement_in_the_form_of_pg_stat_statements_has_its_name() -> None:
    assert named(SHOWN) == "operations/open_dead_letters"
    assert named("select 1") == ""
    assert skeleton("status in ($1 /*, ... */)") == skeleton("status in ('pending', 'retrying')")
    assert skeleton("extract($1 from at)") == skeleton("extract(epoch from at)")


@pytest.mark.parametrize("name", ["dispatch/claim", "dispatch/examine", "operations/gauges"])
def test_a_statement_has_its_name(name: str) -> None:
    assert named(statement(name).decode()) == name
