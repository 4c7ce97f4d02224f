import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from local.postgres import Server, ServerError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "postgres", durable=False) as server:
        yield server


def ask(server: Server, question: str, database: str = "postgres") -> object:
    with psycopg.connect(server.url(database), autocommit=True) as connection:
        cursor = connection.execute(question)  # type: ignore[arg-type]
        row = cursor.fetchone() if cursor.description else None
        return None if row is None else row[0]


def test_a_server_that_is_started_again_keeps_its_data_and_its_url(server: Server) -> None:
    url = server.url()
    ask(server, "create table kept as select 42 as answer")

    server.stop()
    server.start()

    assert server.url() == url
    assert ask(server, "select answer from kept") == 42


def test_what_was_committed_survives_a_crash_of_the_server(server: Server) -> None:
    ask(server, "create table kept as select 42 as answer")

    server.stop("immediate")
    server.start()

    assert ask(server, "select answer from kept") == 42


def test_a_server_that_was_killed_is_started_over_its_stale_pid_file(server: Server) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    while server.pid is not None:
        time.sleep(0.01)

    server.start()

    assert ask(server, "select 1") == 1


def test_a_pid_file_that_names_a_living_stranger_is_stale(server: Server) -> None:
    server.stop()
    (server.data / "postmaster.pid").write_text(f"{os.getppid()}\n{server.data}\n")

    server.start()

    assert ask(server, "select 1") == 1


def test_a_second_server_on_the_same_directory_is_refused(server: Server) -> None:
    with pytest.raises(ServerError, match="another PostgreSQL server runs in"):
        Server(server.directory).start()

    assert ask(server, "select 1") == 1


def test_a_running_server_cannot_be_started_again(server: Server) -> None:
    with pytest.raises(ServerError, match="running already"):
        server.start()


def test_settings_are_given_to_the_server(tmp_path: Path) -> None:
    settings = {"work_mem": "7MB", "application_name": "it's"}

    with Server(tmp_path / "postgres", settings=settings, durable=False) as server:
        assert ask(server, "show work_mem") == "7MB"


def test_a_setting_that_postgresql_does_not_know_is_an_error_that_names_it(tmp_path: Path) -> None:
    server = Server(tmp_path / "postgres", settings={"nonsense": "1"}, durable=False)

    with pytest.raises(ServerError, match='unrecognized configuration parameter "nonsense"'):
        server.start()


def test_a_server_listens_on_a_socket_too_however_long_its_directory_is(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 60) / ("y" * 60)

    with Server(deep, durable=False) as server:
        directory = str(ask(server, "show unix_socket_directories"))
        with psycopg.connect(host=directory, port=server.port, user="postgres") as connection:
            assert connection.execute("select 1").fetchone() == (1,)


def test_a_directory_below_a_private_one_can_be_used(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=stat.S_IRWXU)

    with Server(private / "postgres", durable=False) as server:
        assert ask(server, "select 1") == 1


def test_a_database_is_a_copy_of_its_template(server: Server) -> None:
    server.create_database("original")
    ask(server, "create table kept as select 42 as answer", "original")

    server.create_database("a copy", template="original")

    assert ask(server, "select answer from kept", "a copy") == 42
    assert server.has_database("a copy")


def test_a_database_is_dropped_whoever_is_connected(server: Server) -> None:
    server.create_database("doomed")
    with psycopg.connect(server.url("doomed")):
        server.drop_database("doomed")
    server.drop_database("doomed")

    assert not server.has_database("doomed")


def test_a_server_stops_when_its_process_is_killed(tmp_path: Path) -> None:
    source = f"""
        import time
        from pathlib import Path
        from local.postgres import Server
        server = Server(Path({str(tmp_path)!r}) / "postgres", durable=False)
        server.start()
        print(server.pid, flush=True)
        time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(source)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        os.kill(parent.pid, signal.SIGKILL)

    deadline = time.monotonic() + 10
    while (tmp_path / "postgres" / "data" / "postmaster.pid").exists():
        assert time.monotonic() < deadline, f"PostgreSQL {pid} still runs"
        time.sleep(0.05)
