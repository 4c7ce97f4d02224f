import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from local import LocalError
from local.postgres import Server

ROOT = Path(__file__).parents[3]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "postgres", durable=False) as server:
        yield server


def ask(server: Server, question: str, database: str = "postgres") -> Any:
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
    with pytest.raises(LocalError, match="another PostgreSQL server runs in"):
        Server(server.directory).start()

    assert ask(server, "select 1") == 1


def test_a_running_server_cannot_be_started_again(server: Server) -> None:
    with pytest.raises(LocalError, match="running already"):
        server.start()


def test_settings_are_given_to_the_server(tmp_path: Path) -> None:
    settings = {"work_mem": "7MB", "application_name": "it's"}

    with Server(tmp_path / "postgres", settings=settings, durable=False) as server:
        assert ask(server, "show work_mem") == "7MB"


def test_a_setting_that_postgresql_does_not_know_is_an_error_that_names_it(tmp_path: Path) -> None:
    server = Server(tmp_path / "postgres", settings={"nonsense": "1"}, durable=False)

    with pytest.raises(LocalError, match='unrecognized configuration parameter "nonsense"'):
        server.start()


def test_a_server_listens_on_a_socket_too_however_long_its_directory_is(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 60) / ("y" * 60)

    with Server(deep, durable=False) as server:
        directory = str(ask(server, "show unix_socket_directories"))
        given = {"host": directory, "port": server.port, "user": "postgres"}
        with psycopg.connect(**given, passfile=str(server.passwords)) as connection:
            assert connection.execute("select 1").fetchone() == (1,)


@pytest.mark.parametrize("length", [20, 83, 84, 88, 103, 200])
def test_the_path_of_the_socket_fits_into_103_bytes_as_macos_demands(length: int) -> None:
    server = Server(Path("/" + "x" * (length - 1)))
    directory = server._socket_directory()
    server._drop_sockets()
    assert len(f"{directory}/.s.PGSQL.65535.lock") <= 103


def test_a_directory_below_a_private_one_can_be_used(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=stat.S_IRWXU)

    with Server(private / "postgres", durable=False) as server:
        assert ask(server, "select 1") == 1


def test_a_database_is_created_once_for_its_owner(server: Server) -> None:
    ask(server, "create role ann login")
    server.create_database("a database", owner="ann")
    ask(server, "create table kept as select 42 as answer", "a database")

    server.create_database("a database", owner="ann")

    assert ask(server, "select answer from kept", "a database") == 42
    assert (
        ask(
            server,
            "select pg_get_userbyid(datdba)::text from pg_database where datname = 'a database'",
        )
        == "ann"
    )


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


# Who may connect.


def directories(server: Server) -> Sequence[str]:
    return "127.0.0.1", str(ask(server, "show unix_socket_directories"))


@pytest.mark.parametrize("user", ["postgres", "ann"])
@pytest.mark.parametrize("password", [None, "", "postgres", "wrong"])
def test_a_connection_with_no_or_a_wrong_password_is_refused(
    server: Server, user: str, password: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSFILE", os.devnull)
    ask(server, "create role ann login superuser")
    for host in directories(server):
        with pytest.raises(psycopg.OperationalError, match=r"no password|password authentication"):
            psycopg.connect(host=host, port=server.port, user=user, password=password)


def test_the_password_opens_tcp_and_socket_and_stands_in_a_file_for_its_owner_alone(
    server: Server,
) -> None:
    mode = server.passwords.stat()
    assert (stat.S_IMODE(mode.st_mode), mode.st_uid) == (0o600, os.geteuid())
    for host in directories(server):
        given = {"host": host, "port": server.port, "user": "postgres"}
        with psycopg.connect(**given, passfile=str(server.passwords)) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
    rules = ask(server, "select array_agg(distinct auth_method) from pg_hba_file_rules")
    assert rules == ["scram-sha-256"]


def test_a_role_that_is_let_in_has_a_password_of_its_own(server: Server) -> None:
    for user in ("ann", 'b:o\\b"'):
        ask(server, f'create role "{user.replace(chr(34), chr(34) * 2)}" login')
        password = server.let_in(user)
        assert server.let_in(user) != password
        with psycopg.connect(server.url(user=user)) as connection:
            assert connection.execute("select session_user::text").fetchone() == (user,)
    lines = server.passwords.read_text().splitlines()
    assert len({line.rpartition(":")[2] for line in lines}) == len(lines) == 3
    stored = ask(server, "select array_agg(rolpassword) from pg_authid where rolcanlogin")
    assert all(verifier.startswith("SCRAM-SHA-256$") for verifier in stored)


def passwords_of(server: Server) -> list[str]:
    return [line.rpartition(":")[2] for line in server.passwords.read_text().splitlines()]


def test_a_password_survives_a_restart(tmp_path: Path) -> None:
    with Server(tmp_path / "postgres", durable=False) as first:
        before = passwords_of(first)
    with Server(tmp_path / "postgres", durable=False) as second:
        assert passwords_of(second) == before
        assert ask(second, "select 1") == 1


def test_a_directory_of_a_server_that_trusted_everyone_is_locked(tmp_path: Path) -> None:
    with Server(tmp_path / "postgres", durable=False) as server:
        ask(server, "create table kept as select 42 as answer")
        ask(server, "alter role postgres password null")
        access = server.data / "pg_hba.conf"
    access.write_text("local all all trust\nhost all all 127.0.0.1/32 trust\n")
    server.passwords.unlink()
    with Server(tmp_path / "postgres", durable=False) as server:
        assert ask(server, "select answer from kept") == 42
        with pytest.raises(psycopg.OperationalError, match="no password"):
            psycopg.connect(
                host="127.0.0.1", port=server.port, user="postgres", passfile=os.devnull
            )


def test_no_url_command_line_or_log_holds_a_password(server: Server) -> None:
    ask(server, "create role ann login")
    server.let_in("ann")
    with pytest.raises(psycopg.errors.SyntaxError):
        ask(server, "alter role ann password password")
    secrets = passwords_of(server)
    assert len(secrets) == 2
    seen = [server.url(), server.url(user="ann"), server.log.read_text(errors="replace")]
    for process in psutil.process_iter(["pid", "cmdline"]):
        seen += process.info["cmdline"] or ()
        if process.pid == server.pid:
            seen += process.environ().values()
    assert not [text for text in seen if any(secret in text for secret in secrets)]


# What the log holds.


@pytest.mark.parametrize(
    "statement",
    [
        "select 'canary-7' / 0",
        "select 1 / 0, 'canary-7'",
        "insert into things values ('canary-7'), ('canary-7')",
        "insert into things values (null, 'canary-7')",
        "insert into things values ('canary-7', 'canary-7')",
        "select json 'canary-7'",
        "select 'canary-7'::integer",
        "syntax error canary-7",
        "do $$ begin raise exception 'canary-7' using detail = 'canary-7'; end $$",
        "do $$ begin execute 'select 1 / 0 -- canary-7'; end $$",
        "set statement_timeout = 10; select pg_sleep(1), 'canary-7'",
        "copy things from program 'false canary-7'",
    ],
)
def test_a_statement_that_fails_leaves_no_literal_in_the_log(
    server: Server, statement: str
) -> None:
    ask(server, "create table things (id text primary key, note text check (note <> id))")
    with pytest.raises(psycopg.Error):
        ask(server, statement)
    with pytest.raises(psycopg.Error), psycopg.connect(server.url()) as connection:
        connection.execute("insert into things values (%s, %s)", ("canary-7", "canary-7"))
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.url(), user="stranger", password="wrong")
    log = server.log.read_text(errors="replace")
    assert "FATAL:" in log
    assert "canary" not in log
