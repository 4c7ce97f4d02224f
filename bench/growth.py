"""How the drain grows with processes, and whose CPU ends it."""

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from bench.contender import DOVECOTE
from bench.measure import Bench, Program, Watch
from bench.report import Table, number, ratios, spread
from bench.rounds import Size, rounds

PROCESSES = (1, 2, 4, 8)
FULL = 0.9
"""From this share of the cores on they are what limits."""

TICKS = os.sysconf("SC_CLK_TCK")

LOOK_SECONDS = 0.03

# A session whose transaction is open, or that has none, waits for its dispatcher.
DOING = """
select case
    when wait_event_type = 'Client' then 'client'
    when wait_event_type is null then 'work'
    when wait_event ilike 'wal%' then 'flush'
    else 'lock' end, count(*)
from pg_stat_activity
where application_name = 'dovecote' and datname = current_database()
group by 1
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Grown:
    """A drain: routes a second, and seconds of CPU a route of PostgreSQL and of the dispatchers.

    `machine` is how many cores were busy with whatever, `doing` how often who was seen at what.
    """

    rate: float
    postgres: float
    clients: float
    machine: float
    doing: Mapping[str, int]

    @property
    def cores(self) -> float:
        """Return how many cores were busy with it."""
        return self.rate * (self.postgres + self.clients)


class Cpu(Watch):
    """Reads what the programs and the server use of the CPU, and what the sessions wait for."""

    def __init__(self, server_pid: int) -> None:
        self._server_pid = server_pid
        self._clients: Sequence[int] = ()
        self._before = (0.0, 0.0, 0.0)
        self._look_at = 0.0
        self._reader: psycopg.Connection[Any] | None = None
        self.used = (0.0, 0.0, 0.0)
        self.seen: Counter[str] = Counter()

    def prepare(self, url: str) -> None:
        """Connect."""
        self._reader = psycopg.connect(url, autocommit=True)

    def begin(self, running: Sequence[Program]) -> None:
        """Note what was used before."""
        self._clients = [program.pid for program in running]
        self._before = self._now()

    def look(self, handled: int) -> None:
        """Count what the sessions are at, now and then."""
        del handled
        assert self._reader is not None
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_SECONDS
            self.seen.update(dict(self._reader.execute(DOING).fetchall()))

    def end(self) -> None:
        """Note what was used of PostgreSQL, of the dispatchers, and of the machine."""
        assert self._reader is not None
        before, now = self._before, self._now()
        self.used = (now[0] - before[0], now[1] - before[1], now[2] - before[2])
        self._reader.close()

    def _now(self) -> tuple[float, float, float]:
        clients = sum(sum(used(pid)[:2]) for pid in self._clients)
        return _server(self._server_pid), clients, _machine()


def table(bench: Bench, size: Size) -> Table:
    """Measure the no-op drain with more and more processes."""
    found = rounds(
        size.rounds, {str(count): partial(_grown, bench, size.grown, count) for count in PROCESSES}
    )
    rates = {name: [one.rate for one in grown] for name, grown in found.items()}
    cores = os.cpu_count() or 1
    return Table(
        title="Growth with processes",
        note=f"{DOVECOTE.name}, {size.grown:,} no-op routes, on the {cores} cores that PostgreSQL"
        " and the dispatchers share. CPU in µs a route; cores busy with it, of those busy with"
        " whatever. What a session was seen at: at work, or"
        " waiting for the WAL, for a lock or a page, for its dispatcher. Were the dispatchers"
        " elsewhere, PostgreSQL would have its cores full at the rate of the last column.",
        columns=(
            "routes a second",
            "to 1",
            "CPU of PostgreSQL",
            "of dispatchers",
            "cores busy",
            "work, WAL, lock, dispatcher",
            "limit",
            "PostgreSQL's end",
        ),
        rows={
            _processes(name): [
                spread(rates[name]),
                "" if name == "1" else spread(ratios(rates[name], rates["1"]), "x"),
                *_cells(grown, cores),
            ]
            for name, grown in found.items()
        },
    )


def _cells(grown: Sequence[Grown], cores: int) -> Iterator[str]:
    yield number(median(one.postgres * 1e6 for one in grown))
    yield number(median(one.clients * 1e6 for one in grown))
    busy = median(one.machine for one in grown)
    yield f"{median(one.cores for one in grown):.1f} of {busy:.1f}"
    seen = sum((Counter(one.doing) for one in grown), Counter[str]())
    whole = seen.total() or 1
    yield ", ".join(f"{seen[doing] / whole:.0%}" for doing in ("work", "flush", "lock", "client"))
    share = median(one.postgres / (one.postgres + one.clients) for one in grown)
    yield f"the cores, {share:.0%} PostgreSQL" if busy >= FULL * cores else "waiting"
    yield number(median(cores / one.postgres for one in grown))


def _processes(count: str) -> str:
    return "1 process" if count == "1" else f"{count} processes"


def _grown(bench: Bench, jobs: int, processes: int) -> Grown:
    cpu = Cpu(bench.server_pid)
    rate = bench.drain(DOVECOTE, jobs, processes=processes, watch=cpu)
    postgres, clients, machine = cpu.used
    return Grown(
        rate=rate,
        postgres=postgres / jobs,
        clients=clients / jobs,
        machine=machine * rate / jobs,
        doing=cpu.seen,
    )


def _server(pid: int) -> float:
    """Return what a server has used: itself, its processes that ended, and those that live."""
    whole = sum(used(pid))
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            child = int(file.parent.name)
            if _parent(child) == pid:
                whole += sum(used(child)[:2])
    return whole


def _machine() -> float:
    """Return the CPU seconds that all cores were not idle for."""
    line = Path("/proc/stat").read_text().partition("\n")[0].split()
    user, nice, system, _idle, _waiting, *interrupts = (int(ticks) / TICKS for ticks in line[1:9])
    return user + nice + system + sum(interrupts)


def _parent(pid: int) -> int:
    return int(_fields(pid)[1])


def used(pid: int) -> list[float]:
    """Return the CPU seconds of a process, user and system, and of its children that ended."""
    return [int(ticks) / TICKS for ticks in _fields(pid)[11:15]]


def _fields(pid: int) -> list[str]:
    """Return the fields of proc(5)'s stat, from the state on; a name may hold blanks."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
