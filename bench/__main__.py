"""Measure, print the tables, and keep those of a full run in docs/performance.md.

python -m bench [--quick] [--only TABLE …]
"""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench import (
    burst,
    depth,
    email,
    growth,
    machine,
    paper,
    same_job,
    server,
    snapshot,
    startup,
    steady,
    tables,
)
from bench.contender import DOVECOTE
from bench.measure import Bench
from bench.report import Table, between, markdown, picture, targets_met, wrapped
from bench.rounds import FULL, QUICK, Size

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "performance.md"
PICTURE = DOCS / "pictures" / "drain.svg"
TARGETS = "<!-- where make bench saw it -->", "<!-- end of where -->"
MADE = "<!-- made by make bench -->", "<!-- end -->"

# In the order of the page, the one of the picture first. Each measures when it is called.
TABLES: Mapping[str, Callable[[Bench, Size], Table]] = {
    "drain": tables.drain,
    "growth": growth.table,
    "paper": lambda _bench, _size: paper.table(),
    "enqueue": tables.enqueued,
    "bulk": tables.bulk,
    "failures": tables.failing,
    "slow": tables.slow,
    "email": email.email_table,
    "same-job": same_job.table,
    "depth": depth.table,
    "burst": burst.table,
    "snapshot": snapshot.table,
    "steady": steady.table,
    "startup": lambda _bench, size: startup.table(size.starts),
    "memory": tables.memory,
}

FIRST = "startup"
"""It fetches wheels for the layer: where that fails, it fails at once."""


def main() -> None:
    """Run the bench."""
    given = _given()
    begun = time.monotonic()
    with server.running() as running:
        words = machine.described(running.url())
        print(words, flush=True)
        bench = Bench(running)
        size = QUICK if given.quick else FULL
        made = {name: _made(name, bench, size) for name in sorted(given.only, key=FIRST.__ne__)}
    shown = [made[name] for name in given.only]
    where = targets_met(shown)
    print(f"\n{where}\nin {_lasted(begun)}")
    if not given.quick and given.only == list(TABLES):
        _keep(wrapped(f"{words} It took {_lasted(begun)}."), where, shown)


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small, once, and kept nowhere")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=list(TABLES),
        default=list(TABLES),
        metavar="TABLE",
        help=f"kept nowhere; of {', '.join(TABLES)}",
    )
    return parser.parse_args()


def _made(name: str, bench: Bench, size: Size) -> Table:
    begun = time.monotonic()
    table = TABLES[name](bench, size)
    print(f"\n{markdown(table)}\n({name}: {_lasted(begun)})", flush=True)
    return table


def _keep(words: str, where: str, made: Sequence[Table]) -> None:
    """Write the page, and the picture of the first table."""
    text = PAGE.read_text()
    text = between(text, *TARGETS, f"{words}\n\n{where}")
    PAGE.write_text(between(text, *MADE, "\n".join(("", *map(markdown, made)))))
    drawn = made[0].drawn
    PICTURE.write_text(picture("No-op deliveries a second, 1 process", drawn, DOVECOTE.name))


def _lasted(begun: float) -> str:
    minutes, seconds = divmod(round(time.monotonic() - begun), 60)
    return f"{minutes} min {seconds} s"


if __name__ == "__main__":
    main()
