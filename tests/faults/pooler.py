"""pgbouncer in transaction mode: what RDS Proxy is on AWS, as far as a session cannot be had."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, urlsplit

from tests.runs import free_port

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")

CONFIGURATION = """
[databases]
{name} = host={host} port={port} user=postgres password={password}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
ignore_startup_parameters = extra_float_digits
logfile = {log}
"""


@contextmanager
def pooled(url: str, directory: Path) -> Iterator[str]:
    """Yield the URL of a database by way of a pooler, for as long as the context lasts."""
    assert PROGRAM is not None
    target = urlsplit(url)
    name, port = target.path.lstrip("/"), free_port()
    configuration = directory / "pgbouncer.ini"
    configuration.write_text(
        CONFIGURATION.format(
            name=name,
            host=target.hostname,
            port=target.port,
            password=_password(target),
            listen_port=port,
            log=directory / "pgbouncer.log",
        )
    )
    with subprocess.Popen([PROGRAM, *_unprivileged(directory), str(configuration)]) as process:
        try:
            _await(port)
            yield f"postgresql://postgres@127.0.0.1:{port}/{name}"
        finally:
            process.terminate()


def _password(target: SplitResult) -> str:
    """Return the password in a URL, or in the file that it names."""
    files = parse_qs(target.query).get("passfile", [])
    lines = [line for file in files for line in Path(file).read_text().splitlines()]
    found = [line.rpartition(":")[2] for line in lines if ":postgres:" in line]
    return target.password or next(iter(found), "")


def _unprivileged(directory: Path) -> list[str]:
    """Return what makes it run as somebody else than root, which it refuses to be."""
    if os.geteuid() != 0:
        return ["-q"]
    nobody = pwd.getpwnam("nobody")
    for path in (directory, *directory.parents[:2]):
        path.chmod(path.stat().st_mode | 0o011)
    os.chown(directory, nobody.pw_uid, nobody.pw_gid)
    return ["-q", "-u", "nobody"]


def _await(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError("pgbouncer did not start")
