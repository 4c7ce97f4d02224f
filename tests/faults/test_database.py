"""A database that hangs up, fails over, goes silent, and dies under load."""

import os
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from dovecote.store.database import Connection as Bounded
from dovecote.store.database import Database
from dovecote.store.schema.migrate import migrate
from dovecote.wiring import clients
from local.postgres import Server
from local.provider import Fault, Order, Running
from tests.faults.link import Link, linked
from tests.faults.pooler import PROGRAM, pooled
from tests.faults.processes import (
    Connection,
    a_nursery,
    drained,
    held_against_ledger,
    statuses,
    store_due,
    told,
    until,
)
from tests.faults.storm import BOTH, EMAIL, a_notification
from tests.faults.worker import Nursery
from tests.functions import Answer, Functions, environment, run_functions
from tests.sending import channel_body

BODY: Mapping[str, Any] = channel_body()


@pytest.fixture
def link(database_url: str) -> Iterator[Link]:
    target = urlsplit(database_url)
    with linked(target.hostname or "", target.port or 0) as link:
        yield link


@pytest.fixture
def functions(
    link: Link, database_url: str, provider: Running, catalog_folder: Path
) -> Iterator[Functions]:
    """The functions, with a bad link between them and their database."""
    url = urlunsplit(urlsplit(database_url)._replace(netloc=f"postgres@127.0.0.1:{link.port}"))
    values = environment(url, provider.url, catalog_folder, EMAIL_MAX_PER_SECOND="1000")
    with run_functions(values) as wired:
        yield wired


def post(functions: Functions, key: str) -> tuple[Answer, float]:
    """Post a notification; return the answer and the seconds it took."""
    began = time.monotonic()
    answer = functions.post({**BODY, "idempotency_key": key})
    return answer, time.monotonic() - began


def notifications(connection: Connection) -> list[str]:
    rows = connection.execute("select idempotency_key from dovecote.notifications order by 1")
    return [key for (key,) in rows]


def refused_in_time(answer: Answer, seconds: float) -> bool:
    return answer.status == 503 and "retry-after" in answer.headers and seconds < 5


def test_a_connection_that_the_server_ended_is_opened_anew(
    functions: Functions, connection: Connection
) -> None:
    assert post(functions, "k-1")[0].status == 202
    connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where application_name = 'dovecote' and datname = current_database()"
    )
    assert post(functions, "k-2")[0].status == 202


def test_a_connection_that_something_between_dropped_is_opened_anew(
    functions: Functions, link: Link
) -> None:
    assert post(functions, "k-1")[0].status == 202
    link.drop()
    assert post(functions, "k-2")[0].status == 202
    assert link.opened == 2


def test_a_connection_to_what_is_a_reader_since_a_failover_is_discarded(
    functions: Functions, connection: Connection, link: Link
) -> None:
    # Sessions that begin now can't write, as those of an old writer can't after a failover.
    in_database = f"alter role postgres in database {connection.info.dbname}"
    connection.execute(f"{in_database} set default_transaction_read_only = on".encode())
    answer, seconds = post(functions, "k-1")
    assert refused_in_time(answer, seconds)
    clients.database().close()
    with clients.database().transaction() as kept:
        assert kept.execute("show default_transaction_read_only").fetchone() == ("on",)
    connection.execute(f"{in_database} reset default_transaction_read_only".encode())
    opened = link.opened
    assert post(functions, "k-2")[0].status == 202
    assert link.opened == opened + 1
    assert notifications(connection) == ["k-2"]


def test_a_link_that_went_silent_is_a_503_within_five_seconds_and_heals(
    functions: Functions, connection: Connection, link: Link
) -> None:
    assert post(functions, "k-1")[0].status == 202
    link.silent = True
    assert refused_in_time(*post(functions, "k-2"))
    # And so where no connection comes about at all.
    assert refused_in_time(*post(functions, "k-3"))
    link.silent = False
    answer, seconds = post(functions, "k-4")
    assert answer.status == 202
    assert seconds < 2
    assert notifications(connection) == ["k-1", "k-4"]


def test_a_slow_link_is_no_fault(functions: Functions, link: Link) -> None:
    link.delay = 0.05
    assert post(functions, "k-1")[0].status == 202


def test_a_submit_whose_answer_was_lost_and_the_clients_retry_give_one_notification(
    functions: Functions, connection: Connection, link: Link, provider: Running
) -> None:
    assert post(functions, "k-0")[0].status == 202
    link.loses_answer_to = b"dovecote.store_notification("
    answer, seconds = post(functions, "k-1")
    assert refused_in_time(answer, seconds)
    again, _ = post(functions, "k-1")
    assert again.status == 202
    assert again.headers["idempotent-replayed"] == "true"
    assert notifications(connection) == ["k-0", "k-1"]


def test_dispatch_ends_well_without_its_database_and_says_so(
    functions: Functions, link: Link, capsys: pytest.CaptureFixture[str]
) -> None:
    link.close()
    tally = functions.dispatch()
    assert tally["interrupted"] == 2
    assert tally["claimed"] == 0
    assert "database out of reach" in capsys.readouterr().out


def test_submit_answers_within_fifteen_seconds_whatever_the_provider_and_the_link_do(
    functions: Functions, provider: Running, connection: Connection, link: Link
) -> None:
    provider.provider.give(Order(do=Fault.STALL, seconds=60))

    def go_silent() -> None:
        until(lambda: notifications(connection) == ["k-1"])
        link.silent = True

    silence = threading.Thread(target=go_silent)
    silence.start()
    answer, seconds = post(functions, "k-1")
    silence.join()
    assert answer.status == 202
    assert seconds < 15
    assert notifications(connection) == ["k-1"]


def test_a_link_that_goes_silent_within_a_batch_leaves_each_notification_told_of_truly(
    functions: Functions, connection: Connection, link: Link
) -> None:
    link.delay = 0.02
    batch = [{**BODY, "idempotency_key": f"k-{number:02}"} for number in range(40)]

    def go_silent() -> None:
        until(lambda: len(notifications(connection)) == 10)
        link.silent = True

    silence = threading.Thread(target=go_silent)
    silence.start()
    began = time.monotonic()
    answer = functions.post_batch(batch)
    silence.join()
    assert time.monotonic() - began < 20
    told = [result["status"] for result in answer.body["results"]]
    acknowledged = told.count(202)
    assert told == [202] * acknowledged + [503] * (40 - acknowledged)
    # One may have been stored without an answer.
    assert 9 <= acknowledged <= len(notifications(connection)) <= acknowledged + 1
    link.silent, link.delay = False, 0
    again = functions.post_batch(batch).body["results"]
    assert {result["status"] for result in again} == {202}
    assert len(notifications(connection)) == 40


def test_two_transactions_in_each_others_way_both_come_through(
    database_url: str, connection: Connection
) -> None:
    connection.execute("create table dovecote.pair (id integer primary key, n integer)")
    connection.execute("insert into dovecote.pair values (1, 0), (2, 0)")
    both = threading.Barrier(2)
    met = [False, False]

    def meet(first: int, second: int) -> None:
        database = Database(lambda: Bounded.connect(database_url, autocommit=True))

        def work(own: Connection) -> None:
            own.execute("update dovecote.pair set n = n + 1 where id = %s", (first,))
            if not met[first - 1]:
                met[first - 1] = True
                both.wait()
            own.execute("update dovecote.pair set n = n + 1 where id = %s", (second,))

        database.run(work)
        database.close()

    threads = [threading.Thread(target=meet, args=pair) for pair in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert connection.execute("select n from dovecote.pair").fetchall() == [(2,), (2,)]


@pytest.mark.channels("email")
@pytest.mark.channels("email", "push")
@pytest.mark.skipif(
    PROGRAM is None and not os.environ.get("CI"), reason="pgbouncer is not installed here"
)
def test_everything_works_behind_a_pooler_in_transaction_mode(
    tmp_path: Path,
    database_url: str,
    connection: Connection,
    provider: Running,
    catalog_folder: Path,
) -> None:
    topic = provider.provider.registry.create_topic("gateway", {})
    with pooled(database_url, tmp_path) as url:
        nursery = a_nursery(
            tmp_path, url, provider, catalog_folder, EMAIL_FEEDBACK="on", PUSH_TOPIC_ARN=topic.arn
        )
        # More workers than the pooler has connections to the server.
        with told(url, provider):
            submits = [nursery.begin("submit", a_notification(f"k-{n}", BOTH)) for n in range(12)]
            answers = [worker.answer() for worker in submits]
            drained(nursery, connection, workers=4)
    assert {answer["statusCode"] for answer in answers} == {202}
    assert statuses(connection) == {"published": 96}
    assert held_against_ledger(connection, provider)["sent_twice"] == 0


def test_a_server_that_crashes_under_load_loses_nothing_that_was_acknowledged(
    tmp_path: Path, provider: Running, catalog_folder: Path
) -> None:
    with Server(tmp_path / "server") as server:
        server.create_database("dovecote")
        url = server.url("dovecote")
        migrate(url)
        nursery = a_nursery(tmp_path, url, provider, catalog_folder)
        with psycopg.connect(url, autocommit=True) as connection:
            store_due(connection, 1500)
        dispatchers = [nursery.begin(seconds=20) for _ in range(2)]
        codes = _submitted_over_a_crash(nursery, server)
        for worker in dispatchers:
            worker.answer()
        with psycopg.connect(url, autocommit=True) as connection:
            drained(nursery, connection, 90, workers=2)
            stored = set(notifications(connection))
            account = held_against_ledger(connection, provider)
    assert set(codes.values()) == {202, 503}
    assert {key for key, code in codes.items() if code == 202} <= stored
    assert account["agree"], account["wrong"]
    assert account["live"] == 0


def _submitted_over_a_crash(nursery: Nursery, server: Server) -> dict[str, int]:
    """Submit forty notifications, of which some find no server; return their answers by key."""
    submits = {}
    for number in range(40):
        key = f"k-{number}"
        submits[key] = nursery.begin("submit", a_notification(key, EMAIL))
        time.sleep(0.02)
        if number == 20:
            server.stop("immediate")
        if number == 30:
            server.start()
    return {key: worker.answer()["statusCode"] for key, worker in submits.items()}
