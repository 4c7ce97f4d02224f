"""make run, and SIGKILL to each kind of its processes."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.runs import Run, begin, free_port, running, until

pytestmark = pytest.mark.channels("email", "push")

# Leases that run out soon, so that what a killed worker held is soon tried again.
QUICK = {"LEASE_SECONDS": "3", "SEND_CONNECT_SECONDS": "0.4", "SEND_READ_SECONDS": "1"}


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with running(tmp_path / "local", **QUICK) as started:
        yield started


def stored(run: Run, event: str, key: str) -> str:
    status, answer = run.post(event, key)
    assert status == 202
    return str(answer["notification_id"])


def test_nothing_that_was_answered_202_is_lost_whatever_is_killed(run: Run) -> None:
    ids = [stored(run, "both.json", "before-1"), stored(run, "push.json", "before-2")]

    # The stack itself, with sends that fail and a batch under way.
    run.press("one-in-three")
    ids += [stored(run, "many-recipients.json", f"stack-{n}") for n in range(3)]
    run.stop(signal.SIGKILL)
    run.start()

    # PostgreSQL: the stack starts it again by itself.
    run.press("one-in-three")
    ids += [stored(run, "both.json", f"postgres-{n}") for n in range(3)]
    postmaster = postmaster_of(run)
    os.kill(postmaster, signal.SIGKILL)
    # A connection outlives its postmaster for a moment, so that 202 alone proves no restart.
    until(lambda: postmaster_of(run) not in (0, postmaster), 20)
    until(lambda: run.post("both.json", "while-down")[0] == 202, 20)
    ids.append(stored(run, "both.json", "while-down"))

    # A dispatcher in the middle of a batch.
    run.mend()
    run.press("kill-worker")
    ids.append(stored(run, "many-recipients.json", "worker"))
    until(lambda: not switch(run, "kill-worker"), 10)

    state = run.ended()
    assert state["agreement"]["agree"], state["agreement"]
    assert [run.ask("GET", f"/notifications/{one}")[0] for one in ids] == [200] * len(ids)
    # And so it still is after a restart: the ledger was kept, and so was the database.
    assert run.stop() == 0
    assert run.start().ended()["agreement"] == state["agreement"]
    assert run.stop() == 0


def test_with_feedback_replies_that_were_lost_are_settled_by_the_providers_events(
    tmp_path: Path,
) -> None:
    with running(tmp_path / "local", **QUICK, EMAIL_FEEDBACK="on") as run:
        run.press("lose-replies")
        for number in range(3):
            stored(run, "email.json", f"lost-{number}")
        state = run.ended()
        assert not switch(run, "lose-replies")
        assert state["agreement"]["agree"]
        assert state["agreement"]["sent_twice"] == 0
        assert state["agreement"]["published"] == 3
        assert run.stop() == 0


def postmaster_of(run: Run) -> int:
    """Return the process id in PostgreSQL's lock file, or 0 while the file is being replaced."""
    lock = run.directory / "postgres" / "data" / "postmaster.pid"
    lines = lock.read_text().split() if lock.exists() else []
    return int(lines[0]) if lines else 0


def switch(run: Run, name: str) -> bool:
    return next(bool(one["on"]) for one in run.state()["breaks"] if one["name"] == name)


def test_what_keeps_it_from_starting_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    def refused(*options: str, **environment: str) -> str:
        values = {"LOCAL_DIRECTORY": str(tmp_path / "other"), **environment}
        with begin(values, *options, stdout=-1, stderr=-1) as process:
            _, said = process.communicate(timeout=60)
        assert process.returncode == 1
        assert said.startswith("run: ")
        assert said.count("\n") == 1
        return said

    assert "module aiohttp is missing: run make setup" in refused("-S")
    assert "PORT=8081" in refused(PORT="http")
    assert "TICK_SECONDS" in refused(TICK_SECONDS="0")
    assert "LEASE_SECONDS" in refused(LEASE_SECONDS="1", PORT=str(free_port()))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "PORT=8081 make run" in refused(PORT=str(taken.getsockname()[1]))
    with running(tmp_path / "local") as run:
        here = {"LOCAL_DIRECTORY": str(run.directory)}
        assert f"open {run.url}, or stop it first (kill {run.process.pid})" in refused(**here)
        facts = json.loads((run.directory / "run.json").read_text())
        with psycopg.connect(facts["database_url"]) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
    (tmp_path / "local" / "provider.jsonl").write_text("no JSON\n")
    assert "provider.jsonl, line 1" in refused(LOCAL_DIRECTORY=str(tmp_path / "local"))
