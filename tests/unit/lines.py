"""A log for tests."""

from typing import Any


class Lines:
    """A log that keeps the level and message of its lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def debug(self, message: str, /, **_fields: Any) -> None:
        self.lines.append(("debug", message))

    def info(self, message: str, /, **_fields: Any) -> None:
        self.lines.append(("info", message))

    def warning(self, message: str, /, **_fields: Any) -> None:
        self.lines.append(("warning", message))

    def error(self, message: str, /, **_fields: Any) -> None:
        self.lines.append(("error", message))
