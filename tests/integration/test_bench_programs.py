"""The bench's program of Dovecote takes each of the orders that `make bench` gives it."""

import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from bench import routes
from bench.contender import DOVECOTE, DOVECOTE_BULK
from bench.measure import Program, programs
from tests.catalogs import shipped

DEADLINE_SECONDS = 30.0
LEFT, DONE, STORED = (
    question.encode() for question in (DOVECOTE.left, DOVECOTE.done, DOVECOTE.stored)
)
STORED_IN_BULK = DOVECOTE_BULK.stored.encode()


@pytest.fixture(autouse=True)
def catalog(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the programs read the catalog of the registered channels."""
    monkeypatch.setenv("CATALOG_PATH", str(shipped()))


def run(url: str, order: str, *numbers: int, until: Callable[[Program], bool]) -> None:
    """Let the program do what it is asked, until that is done."""
    with programs(DOVECOTE, url, 1, order, *numbers) as (program,):
        program.begin()
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not until(program):
            program.check()
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.mark.parametrize(
    ("numbers", "published"),
    [((0, 0), 100), ((0, 0, 1), 90), ((20, 50), 100)],
    ids=["no-op", "with failures", "slow"],
)
def test_it_drains(
    database_url: str,
    connection: psycopg.Connection[Any],
    numbers: tuple[int, ...],
    published: int,
) -> None:
    def drained(program: Program) -> bool:
        return program.handled == 100 and connection.execute(LEFT).fetchone() == (False,)

    routes.fill(connection, 100)
    run(database_url, "drain", *numbers, until=drained)
    assert connection.execute(DONE).fetchone() == (published,)


@pytest.mark.channels("email", "push")
def test_it_enqueues_one_by_one(database_url: str, connection: psycopg.Connection[Any]) -> None:
    run(database_url, "enqueue", 3, until=lambda program: program.handled == 3)
    assert connection.execute(STORED).fetchone() == (3 + 1,)


@pytest.mark.channels("push")
def test_it_enqueues_in_bulk(database_url: str, connection: psycopg.Connection[Any]) -> None:
    run(database_url, "bulk", 2, 5, until=lambda program: program.handled == 10)
    assert connection.execute(STORED_IN_BULK).fetchone() == ((2 + 1) * 5,)
