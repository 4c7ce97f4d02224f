"""Start `python -m local.run` as a user does, and ask it how all stands."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import psutil

from tests.functions import ROOT

START_SECONDS = 60
Document = dict[str, Any]


class Run:
    """One run of a checkout's stack in a directory; started again, it goes on there."""

    def __init__(self, directory: Path, root: Path = ROOT, **environment: str) -> None:
        self.directory = directory
        self.root = root
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {"PORT": str(self.port), "LOCAL_DIRECTORY": str(directory)}
        self._environment |= environment
        self._process: subprocess.Popen[str] | None = None

    @property
    def process(self) -> subprocess.Popen[str]:
        assert self._process is not None
        return self._process

    def start(self) -> Self:
        """Start it and wait until it says where it is."""
        output = self.directory.parent / f"{self.directory.name}.out"
        with output.open("w") as out:
            self._process = begin(self._environment, root=self.root, stdout=out)
        until(
            lambda: "Ctrl-C" in output.read_text() or self.process.poll() is not None,
            START_SECONDS,
        )
        assert self.process.poll() is None, output.read_text()
        return self

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        return self.process.wait(30)

    def ask(
        self, method: str, path: str, body: str | None = None, **headers: str
    ) -> tuple[int, Document]:
        """Send a request and return status and document; status 0 where nobody answered."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body and body.encode(), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")
        except (OSError, http.client.HTTPException):
            return 0, {}
        finally:
            connection.close()

    def state(self) -> Document:
        return self.ask("GET", "/_local/state")[1]

    def press(self, name: str) -> None:
        assert self.ask("PUT", f"/_local/breaks/{name}")[0] == 200

    def mend(self) -> None:
        assert self.ask("DELETE", "/_local/breaks")[0] == 200

    def post(self, event: str, key: str) -> tuple[int, Document]:
        """Post the body of an event under a key."""
        body = json.loads((ROOT / "events" / event).read_text())["body"]
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        return self.ask("POST", "/notifications", body, **headers)

    def ended(self, seconds: float = 45) -> Document:
        """Wait until every route has ended, and return how all stands."""
        states: list[Document] = []

        def is_ended() -> bool:
            states.append(self.state())
            last = states[-1]
            return bool(last.get("database")) and last["agreement"]["live"] == 0

        until(is_ended, seconds)
        return self.state()  # the last one may lack acceptances that came while it was read


@contextmanager
def running(directory: Path, root: Path = ROOT, **environment: str) -> Iterator[Run]:
    """Run the stack for as long as the context lasts."""
    run = Run(directory, root, **environment)
    try:
        yield run.start()
    finally:
        if run.process.poll() is None:
            run.stop()


def begin(
    environment: Mapping[str, str], *flags: str, root: Path = ROOT, **options: Any
) -> subprocess.Popen[str]:
    """Start `python -m local.run`, with flags of Python's own."""
    path = os.pathsep.join((str(root / "layers" / "dovecote"), str(root)))
    return subprocess.Popen(
        [sys.executable, *flags, "-m", "local.run"],
        cwd=root,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": path, **environment},
        text=True,
        **options,
    )


def until(happened: Callable[[], bool], seconds: float) -> None:
    """Wait for something to happen."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)


def is_running(pid: int) -> bool:
    """Return whether a process lives; one that only waits to be reaped does not."""
    with suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
