"""Workers that are frozen over the end of their lease, and workers whose clock is wrong."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from local.provider import Fault, Order, Running
from tests.faults.processes import (
    QUICK,
    Connection,
    a_nursery,
    acceptances,
    drained,
    statuses,
    store_due,
    until,
)
from tests.faults.worker import Stop
from tests.functions import ROOT, environment

pytestmark = pytest.mark.timed

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
FAILING = "success+failing@simulator.amazonses.com"
LATER = "success+later@simulator.amazonses.com"
HELD = "success+held@simulator.amazonses.com"
ROUTES = (
    "select route_id, status, attempts, claims, claim_token, next_attempt_at, published_at"
    " from dovecote.notification_routes order by route_id"
)


@pytest.mark.parametrize("taken_over", [True, False])
def test_a_worker_that_was_frozen_over_the_end_of_its_lease_begins_no_send(
    tmp_path: Path,
    database_url: str,
    connection: Connection,
    provider: Running,
    catalog_folder: Path,
    taken_over: bool,
) -> None:
    store_due(connection, 5)
    nursery = a_nursery(tmp_path, database_url, provider, catalog_folder)
    frozen = nursery.begin(stop=Stop(point="after claim", number=signal.SIGSTOP))
    until(frozen.stopped)
    claimed = connection.execute(ROUTES).fetchall()
    assert all(row[4] is not None for row in claimed)
    time.sleep(float(QUICK["LEASE_SECONDS"]) + 0.1)
    if taken_over:
        drained(nursery, connection)
    before = connection.execute(ROUTES).fetchall()
    sent = len(provider.provider.ledger.attempts)
    os.kill(frozen.pid, signal.SIGCONT)
    tally = frozen.answer()
    if taken_over:
        assert connection.execute(ROUTES).fetchall() == before
        assert tally["claimed"] == 5
        assert tally["given_back"] == 0
        assert len(provider.provider.ledger.attempts) == sent == 5
    else:
        # Nobody had taken them: it gave them back, claimed them anew, and sent each once.
        assert tally["given_back"] == 5
        assert set(acceptances(provider).values()) == {1}
    assert statuses(connection) == {"published": 5}


@pytest.mark.channels("email")
@pytest.mark.skipif(
    FAKETIME is None and not os.environ.get("CI"), reason="libfaketime is not installed here"
)
@pytest.mark.parametrize("off", ["+1h", "-1h"])
def test_a_worker_whose_clock_is_an_hour_off_does_what_any_other_does(
    tmp_path: Path,
    database_url: str,
    connection: Connection,
    provider: Running,
    catalog_folder: Path,
    off: str,
) -> None:
    store_due(connection, 5)
    store_due(connection, 3, addresses=[FAILING, LATER, HELD])
    connection.execute(
        "update dovecote.notification_routes set"
        " next_attempt_at = clock_timestamp() + interval '30 minutes' where address = %s",
        (LATER,),
    )
    connection.execute(
        "update dovecote.notification_routes set attempts = 1, claims = 1,"
        " claim_token = gen_random_uuid(), leased_until = clock_timestamp() + interval '1 minute'"
        " where address = %s",
        (HELD,),
    )
    provider.provider.give(Order(do=Fault.ERROR, address=FAILING, status=400, code="SomethingElse"))
    values = {
        **environment(database_url, provider.url, catalog_folder),
        **QUICK,
        "BACKOFF_BASE_SECONDS": "30",
        "BACKOFF_MAX_SECONDS": "60",
        "BACKOFF_JITTER": "0",
    }
    _dispatched(tmp_path, values, off)
    rows = connection.execute(
        "select address, status, next_attempt_at - clock_timestamp(),"
        " abs(extract(epoch from published_at - clock_timestamp()))::float"
        " from dovecote.notification_routes"
    ).fetchall()
    published = [age for _, status, _, age in rows if status == "published"]
    assert len(published) == 5
    assert max(published) < 60
    waits = {address: wait for address, _, wait, _ in rows}
    assert timedelta(seconds=20) < waits[FAILING] <= timedelta(seconds=30)
    assert waits[LATER] > timedelta(minutes=29)
    assert waits[HELD] < timedelta(0)  # due, and another worker's for the minute
    assert len(provider.provider.ledger.accepted) == 5


def _dispatched(directory: Path, values: dict[str, str], off: str) -> None:
    """Run a dispatcher with a clock that is off."""
    order = {
        "environment": values,
        "function": "dispatch",
        "event": {},
        "stop": None,
        "seconds": 30,
        "result": str(directory / "result.json"),
    }
    path = os.pathsep.join((str(ROOT), str(ROOT / "layers" / "dovecote")))
    subprocess.run(
        [sys.executable, "-m", "tests.faults.worker", json.dumps(order)],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": path,
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME": off,
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        },
        cwd=ROOT,
        check=True,
        timeout=60,
    )
    log = (directory / "result.json.log").read_text()
    told = json.loads(log.splitlines()[0])["timestamp"]
    assert told[11:13] != time.strftime("%H", time.gmtime()), "the clock is not off"
