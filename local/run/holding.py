"""One run a directory: a lock that says who holds it, and where what runs is."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

Tell = Callable[[Mapping[str, str]], None]


class HeldError(Exception):
    """Another process holds the directory; the message is one line that says what to do."""


@contextmanager
def holding(directory: Path) -> Iterator[Tell]:
    """Hold a directory while the context lasts; what is told goes into its run.json."""
    path = directory / "run.json"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        message = f"{directory} cannot be written ({error.strerror}): give LOCAL_DIRECTORY"
        raise HeldError(message) from None
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HeldError(_who(path)) from None
        os.truncate(file, 0)
        yield lambda facts: _write(file, facts)
        os.truncate(file, 0)
    finally:
        os.close(file)


def _write(file: int, facts: Mapping[str, str]) -> None:
    text = json.dumps({**facts, "pid": os.getpid()}, indent=2) + "\n"
    os.truncate(file, 0)
    os.pwrite(file, text.encode(), 0)


def _who(path: Path) -> str:
    try:
        known = json.loads(path.read_text())
    except ValueError:
        return f"a stack is just being started in {path.parent}: wait for it, or stop it"
    return (
        f"a stack runs in {path.parent} already: open {known['page']}, "
        f"or stop it first (kill {known['pid']})"
    )
