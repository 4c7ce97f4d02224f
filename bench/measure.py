"""Take one measurement, in a database of its own, and hold its result against what was asked."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, LiteralString

import psycopg
from psycopg import sql

from bench.contender import ROOT, Contender
from local.postgres import Server

MOST_SECONDS = 300.0
LOOK_SECONDS = 0.002
DATABASE = "bench"


class Wrong(Exception):
    """A contender did not do what was asked of it."""


class Watch:
    """Looks at a drain from its start to its end; this one sees nothing."""

    def prepare(self, url: str) -> None:
        """Do what is to be done before the programs connect."""
        del url

    def begin(self, running: "Sequence[Program]") -> None:
        """Look before it begins."""
        del running

    def look(self, handled: int) -> None:
        """Look while it goes on."""
        del handled

    def end(self) -> None:
        """Look when all is done, and the programs still live."""


class Program:
    """A contender's program at work; it tells how many jobs it has handled."""

    def __init__(self, name: str, process: "subprocess.Popen[str]") -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.handled = 0
        self._name = name
        self._process = process
        self._ready = threading.Event()
        self._stdin: IO[str] = process.stdin
        self._reader = threading.Thread(target=self._read, args=(process.stdout,), daemon=True)
        self._reader.start()

    def await_ready(self) -> None:
        """Wait until it is connected."""
        for _ in range(600):
            if self._ready.wait(0.1):
                return
            self.check()
        raise Wrong(f"{self._name} was not ready")

    def begin(self) -> None:
        """Let it begin."""
        self._stdin.write("go\n")
        self._stdin.flush()

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    @property
    def megabytes(self) -> float:
        """Return how much memory it has (RSS); Linux alone tells."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def check(self) -> None:
        """Raise Wrong where it ended by itself."""
        if self._process.poll() is not None:
            raise Wrong(f"{self._name} ended with {self._process.returncode}")

    def end(self) -> None:
        """End it, whatever it is at."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._stdin.close()

    def _read(self, lines: IO[str]) -> None:
        with lines:
            for line in lines:
                word = line.strip()
                if word.isdigit():
                    self.handled = int(word)
                elif word == "ready":
                    self._ready.set()


@contextmanager
def programs(
    contender: Contender, url: str, count: int, order: str, *numbers: int
) -> Iterator[list[Program]]:
    """Run so many programs of a contender, ready to begin."""
    with ExitStack() as stack:
        running = [
            stack.enter_context(_program(contender, url, order, *numbers)) for _ in range(count)
        ]
        for program in running:
            program.await_ready()
        yield running


@contextmanager
def _program(contender: Contender, url: str, order: str, *numbers: int) -> Iterator[Program]:
    process = subprocess.Popen(
        contender.command(order, url, *numbers),
        cwd=ROOT,
        env=contender.environ(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    program = Program(contender.name, process)
    try:
        yield program
    finally:
        program.end()


class Bench:
    """The measurements on one server; each contender's tables are made once, and then copied."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._templates: dict[str, str] = {}

    def drain(
        self,
        contender: Contender,
        jobs: int,
        *,
        processes: int,
        milliseconds: int = 0,
        in_flight: int = 0,
        faulty: bool = False,
        watch: Watch | None = None,
    ) -> float:
        """Return how many jobs a second are drained; each is verified to be done once.

        Of a faulty drain 90 in 100 are done, which only Dovecote is asked for.
        """
        url = self.filled(contender, jobs)
        arguments = (milliseconds, in_flight, *([1] if faulty else []))
        rate = drained(contender, url, jobs, processes, *arguments, watch=watch or Watch())
        self.expect(contender, contender.done, jobs * 9 // 10 if faulty else jobs)
        return rate

    def memory(self, contender: Contender, jobs: int, early: int) -> tuple[float, float]:
        """Return the memory of a program after its early jobs and after all of them, in MB."""
        url = self.filled(contender, jobs)
        with programs(contender, url, 1, "drain", 0, 0) as (program,):
            _timed([program], early, lambda: False)
            before = program.megabytes
            _timed([program], jobs, lambda: _left(url, contender))
            after = program.megabytes
        self.expect(contender, contender.done, jobs)
        return before, after

    def enqueue(self, contender: Contender, jobs: int) -> float:
        """Return how many jobs a second one connection stores one by one."""
        url = self.empty(contender)
        with programs(contender, url, 1, "enqueue", jobs) as running:
            seconds = _timed(running, jobs, lambda: False)
        # One more was stored before the clock ran.
        self.expect(contender, contender.stored, jobs + 1)
        return jobs / seconds

    def bulk(self, contender: Contender, calls: int, size: int) -> float:
        """Return how many jobs a second one connection stores, so many in a call."""
        url = self.empty(contender)
        with programs(contender, url, 1, "bulk", calls, size) as running:
            seconds = _timed(running, calls * size, lambda: False)
        self.expect(contender, contender.stored, (calls + 1) * size)
        return calls * size / seconds

    @property
    def server_pid(self) -> int:
        """Return the process id of the server, whose children its backends are."""
        pid = self._server.pid
        assert pid is not None
        return pid

    def drop(self, database: str) -> None:
        """Drop a database."""
        self._execute("drop database if exists {} with (force)", database)

    def _execute(self, statement: LiteralString, *names: str) -> None:
        with psycopg.connect(self._server.url(), autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def empty(self, contender: Contender, database: str = DATABASE) -> str:
        """Make a database with a contender's tables; return its URL."""
        key = contender.program[-1]
        if key not in self._templates:
            self._templates[key] = f"template_{len(self._templates)}"
            self._server.create_database(self._templates[key])
            _do(contender, "install", self._server.url(self._templates[key]))
        self.drop(database)
        self._execute("create database {} template {}", database, self._templates[key])
        return self._server.url(database)

    def filled(self, contender: Contender, jobs: int) -> str:
        """Make a database with jobs to do, analysed and written to the disk."""
        url = self.empty(contender)
        _do(contender, "fill", url, jobs)
        settle(url)
        return url

    def expect(self, contender: Contender, question: str, wanted: int) -> None:
        """Raise Wrong where the database does not say what it should."""
        with psycopg.connect(self._server.url(DATABASE)) as connection:
            found = _asked(connection, question.replace("%(filled)s", str(wanted)))
        if found != wanted:
            raise Wrong(f"{contender.name}: {found} of {wanted}, by {question}")


def drained(
    contender: Contender, url: str, jobs: int, processes: int, *arguments: int, watch: Watch
) -> float:
    """Drain the jobs of a database; return the jobs a second."""
    watch.prepare(url)
    with programs(contender, url, processes, "drain", *arguments) as running:
        watch.begin(running)
        seconds = _timed(running, jobs, lambda: _left(url, contender), watch.look)
        watch.end()
    if sum(program.handled for program in running) != jobs:
        raise Wrong(f"{contender.name} handled a job more than once")
    return jobs / seconds


def settle(url: str) -> None:
    """Leave nothing of a database's filling to do: analysed, and written to the disk."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set statement_timeout = 0")
        connection.execute("vacuum analyze")
        connection.execute("checkpoint")


def _timed(
    running: Sequence[Program],
    jobs: int,
    left: Callable[[], bool],
    look: Callable[[int], None] = lambda _: None,
) -> float:
    """Let the programs begin; return the seconds until all jobs are handled and none is left."""
    begun = time.perf_counter()
    for program in running:
        program.begin()
    while (handled := sum(program.handled for program in running)) < jobs or left():
        look(handled)
        time.sleep(LOOK_SECONDS)
        if time.perf_counter() - begun > MOST_SECONDS:
            raise Wrong("the jobs were not done in time")
        for program in running:
            program.check()
    return time.perf_counter() - begun


def _left(url: str, contender: Contender) -> bool:
    with psycopg.connect(url) as connection:
        return bool(_asked(connection, contender.left))


def _asked(connection: psycopg.Connection, question: str) -> Any:
    row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return row[0]


def _do(contender: Contender, order: str, url: str, *numbers: int) -> None:
    subprocess.run(
        contender.command(order, url, *numbers), cwd=ROOT, env=contender.environ(), check=True
    )
