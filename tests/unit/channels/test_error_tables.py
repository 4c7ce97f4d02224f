"""The tables of provider errors: each row counts, and the documentation has them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from dovecote import channels
from dovecote.channels.provider_errors import UNLISTED, Meaning, Rule

PAGE = Path(__file__).parents[3] / "docs" / "provider-errors.md"


def markdown(rules: Sequence[Rule]) -> Iterator[str]:
    """Yield the rows of a table in Markdown, as docs/provider-errors.md has them."""
    yield "| code | the message begins with | meaning | stored words | source, and why |"
    yield "| --- | --- | --- | --- | --- |"
    for rule in rules:
        codes = ", ".join(f"`{code}`" for code in rule.codes) or "any"
        words = f"`{escaped(rule.words)}`" if rule.words else "anything else"
        yield f"| {codes} | {words} | {rule.meaning} | {rule.text} | {rule.source} |"
    for status, meaning, why in UNLISTED:
        yield f"| any other, HTTP {status} | anything else | {meaning} | | {why} |"


def escaped(words: str) -> str:
    return words.replace("|", "\\|")


@pytest.fixture(params=channels.NAMES)
def rules(request: pytest.FixtureRequest) -> Sequence[Rule]:
    """The table of one channel."""
    return channels.get(request.param).errors()


def test_a_code_has_one_default_and_no_row_behind_it(rules: Sequence[Rule]) -> None:
    for code in sorted({code for rule in rules for code in rule.codes}):
        rows = [rule for rule in rules if code in rule.codes]
        assert [rule.words is None for rule in rows] == [False] * (len(rows) - 1) + [True], code


def test_every_row_has_a_source_and_every_pattern_a_fixed_text(rules: Sequence[Rule]) -> None:
    for rule in rules:
        assert rule.source
        assert rule.codes or rule.words
        assert bool(rule.text) or rule.words is None


@pytest.mark.parametrize("channel", channels.NAMES)
def test_the_documentation_has_the_table_of_each_channel(channel: str) -> None:
    section = PAGE.read_text("utf-8").partition(f"\n## {channel.capitalize()}\n\n")[2]
    table = list(markdown(channels.get(channel).errors()))
    assert section.splitlines()[: len(table) + 1] in (table, [*table, ""])


def test_the_documentation_has_every_meaning() -> None:
    for meaning in Meaning:
        assert f"\n| {meaning} |" in PAGE.read_text("utf-8")
