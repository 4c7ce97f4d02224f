"""Numbers to words: medians, ratios, tables and the picture. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import chain
from statistics import median
from textwrap import fill
from typing import Literal

PROSE = 108

Rounds = Sequence[float]
"""What one contender did in each round; the rounds of a table go together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What a figure is to be: at least, or at most, so much; with the figure of each round.

    The median counts. A figure is written as a number, or as `unit` says: x, or %, of 1.
    """

    what: str
    rounds: Rounds
    least: float | None = None
    most: float | None = None
    unit: Literal["", "x", "%"] = "x"

    @property
    def reached(self) -> bool:
        """Tell whether the median is where it should be."""
        found = median(self.rounds)
        return (self.least is None or found >= self.least) and (
            self.most is None or found <= self.most
        )

    @property
    def wanted(self) -> str:
        """Return the bound in words."""
        bounds = (("at least", self.least), ("at most", self.most))
        return " and ".join(
            f"{word} {written(bound, self.unit)}" for word, bound in bounds if bound is not None
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table: its title, what the columns are, the rows by their first cell, and its targets.

    `drawn` is what a picture of it shows.
    """

    title: str
    note: str
    columns: Sequence[str]
    rows: Mapping[str, Sequence[str]]
    targets: Sequence[Target] = ()
    drawn: Mapping[str, float] = field(default_factory=dict)


def ratios(ours: Rounds, theirs: Rounds) -> list[float]:
    """Return the ratio within each round, in which both had the same machine."""
    return [one / other for one, other in zip(ours, theirs, strict=True)]


def ratio(ours: Rounds, theirs: Rounds) -> float:
    """Return the median of the ratios within the rounds."""
    return median(ratios(ours, theirs))


def number(value: float) -> str:
    """Return a number for people: thousands with commas, small ones with two digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def written(value: float, unit: str) -> str:
    """Return a figure with its unit."""
    if unit == "%":
        return f"{value:.0%}"
    if unit == "x":
        return f"{value:.2f}x" if value < 10 else f"{value:.0f}x"
    return number(value)


def spread(rounds: Rounds, unit: str = "") -> str:
    """Return the median, and the range where there was more than one round."""
    middle, least, most = (written(f(rounds), unit) for f in (median, min, max))
    return middle if len(rounds) == 1 else f"{middle} ({least} to {most})"


def times(ours: Rounds, theirs: Rounds) -> str:
    """Return a ratio as a cell."""
    return written(ratio(ours, theirs), "x")


def against(ours: str, measured: Sequence[Mapping[str, Rounds]]) -> dict[str, list[str]]:
    """Return the rows of rates, each beside the ratio of ours to it, for each set of columns."""
    return {
        name: list(
            chain.from_iterable(
                (spread(rates[name]), "" if name == ours else times(rates[ours], rates[name]))
                for rates in measured
            )
        )
        for name in measured[0]
    }


def wrapped(prose: str) -> str:
    """Return prose in lines as long as those of the pages."""
    return fill(prose, PROSE, break_long_words=False, break_on_hyphens=False)


def targets_met(tables: Iterable[Table]) -> str:
    """Return what all tables are held against in Markdown: each target, and where it stands."""
    lines = ["| target | | now | |", "|---|---|---:|---|"]
    for target in (target for table in tables for target in table.targets):
        now = spread(target.rounds, target.unit)
        end = "reached" if target.reached else "not reached"
        lines.append(f"| {target.what} | {target.wanted} | {now} | {end} |")
    return "\n".join(lines) + "\n"


def markdown(table: Table) -> str:
    """Return a table with its title and note in Markdown."""
    lines = [
        f"### {table.title}",
        "",
        wrapped(table.note),
        "",
        "| " + " | ".join(("", *table.columns)) + " |",
        "|---|" + "---:|" * len(table.columns),
        *("| " + " | ".join((name, *cells)) + " |" for name, cells in table.rows.items()),
    ]
    return "\n".join(lines) + "\n"


def between(text: str, begin: str, end: str, new: str) -> str:
    """Return a text with new words between two marks; raise ValueError without them."""
    head, _, rest = text.partition(begin)
    _, found, tail = rest.partition(end)
    if not found:
        raise ValueError(f"no {begin} … {end}")
    return f"{head}{begin}\n{new}{end}{tail}"


WIDTH, LABEL, BAR, GAP = 760, 210, 18, 10


def picture(title: str, rates: Mapping[str, float], ours: str) -> str:
    """Return an SVG of horizontal bars, ours in a colour of its own, readable on any ground."""
    most = max(rates.values())
    height = 40 + len(rates) * (BAR + GAP)
    bars = (
        _bar(place, name, rate, most, "#2563eb" if name == ours else "#94a3b8")
        for place, (name, rate) in enumerate(rates.items())
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        f' font-family="sans-serif" font-size="13" role="img" aria-label="{escape(title)}">\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>\n'
        f'<text x="12" y="22" font-weight="bold">{escape(title)}</text>\n'
        + "".join(bars)
        + "</svg>\n"
    )


def _bar(place: int, name: str, rate: float, most: float, colour: str) -> str:
    y = 36 + place * (BAR + GAP)
    length = rate / most * (WIDTH - LABEL - 80)
    text = y + BAR - 5
    return (
        f'<text x="{LABEL - 8}" y="{text}" text-anchor="end">{escape(name)}</text>'
        f'<rect x="{LABEL}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>'
        f'<text x="{LABEL + length + 6:.1f}" y="{text}">{number(rate)}</text>\n'
    )
