"""Measure, print the tables, and keep those of a full run in docs/performance.md.

python -m bench [--quick]
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench import machine, server, tables
from bench.contender import DOVECOTE
from bench.measure import Bench
from bench.report import Table, between, markdown, picture

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "performance.md"
PICTURE = DOCS / "pictures" / "drain.svg"
BEGIN, END = "<!-- made by make bench -->", "<!-- end -->"


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small, once, and kept nowhere")
    quick = parser.parse_args().quick
    with server.running() as running:
        bench = Bench(running)
        size = tables.QUICK if quick else tables.FULL
        text = machine.described(running.url()) + "\n"
        print(text, flush=True)
        drained = tables.drained(bench, size)
        for table in _tables(bench, size, drained):
            print(markdown(table), flush=True)
            text += "\n" + markdown(table)
    if not quick:
        rates = {name: median(rounds) for name, rounds in drained[0].items()}
        PICTURE.write_text(picture("No-op deliveries a second, 1 process", rates, DOVECOTE.name))
        PAGE.write_text(between(PAGE.read_text(), BEGIN, END, text))


def _tables(bench: Bench, size: tables.Size, drained: list[tables.Measured]) -> Iterator[Table]:
    yield tables.drain_table(drained, size)
    yield tables.enqueued(bench, size)
    yield tables.failing(bench, size)
    yield tables.slow(bench, size)
    yield tables.deep(bench, size)
    yield tables.memory(bench, size)


if __name__ == "__main__":
    main()
