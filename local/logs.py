"""The output of functions, a file for each."""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO


class Logs:
    """Files of one directory, written line by line; who listens is told of each line."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._files: dict[str, TextIO] = {}
        self.listeners: list[Callable[[str], None]] = []

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()

    def path(self, function: str) -> Path:
        """Return the file of a function."""
        return self.directory / f"{function}.log"

    def write(self, function: str, line: str) -> None:
        """Append a line to a function's file."""
        if function not in self._files:
            self._files[function] = self.path(function).open("a", encoding="utf-8", buffering=1)
        self._files[function].write(f"{line}\n")
        for listener in self.listeners:
            listener(line)
