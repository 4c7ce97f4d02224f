"""The provider's memory between runs: a line of JSON for each thing that happened.

A line is written before the request that it is of is answered, so that what a caller was told
survives a SIGKILL. It is not synced: a crash of the machine may take the last of them.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from local import LocalError
from local.provider.ledger import Acceptance, Attempt, Email, Push, Row
from local.provider.provider import Provider

CONTENTS: Mapping[str, type[Email | Push]] = {"ses": Email, "sns": Push}


class Journal:
    """Gives a provider back what it knew, and keeps what it learns while the context lasts."""

    def __init__(self, path: Path, provider: Provider) -> None:
        self._path = path
        self._provider = provider
        self._file = -1

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        for line in self._whole_lines():
            self._recall(line)
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._provider.ledger.listeners.append(self._note)
        self._provider.registry.listen(self._note_device_or_topic)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._provider.ledger.listeners.remove(self._note)
        self._provider.registry.listen(lambda _arn, _attributes: None)
        os.close(self._file)

    def _whole_lines(self) -> Iterator[dict[str, Any]]:
        """Yield what was written, and cut off a last line that was not written to its end."""
        text = self._path.read_bytes() if self._path.exists() else b""
        whole = text[: text.rfind(b"\n") + 1]
        if len(whole) < len(text):
            os.truncate(self._path, len(whole))
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                yield msgspec.json.decode(line, type=dict[str, Any])
            except msgspec.MsgspecError as error:
                advice = "remove the directory above it to begin anew"
                raise LocalError(f"{self._path}, line {number}: {error}; {advice}") from None

    def _recall(self, line: dict[str, Any]) -> None:
        match line:
            case {"accepted": row}:
                self._recall_acceptance(row)
            case {"attempt": row}:
                self._provider.ledger.attempts.append(msgspec.convert(row, Attempt))
            case {"forgotten": True}:
                self._provider.ledger.clear()
            case {"arn": arn, "attributes": attributes}:
                self._provider.registry.restore(arn, attributes)

    def _recall_acceptance(self, row: dict[str, Any]) -> None:
        content = msgspec.convert(row["content"], CONTENTS[row["service"]])
        # An Acceptance with a content of its own: msgspec has no union of dataclasses.
        accepted = Acceptance(**{**row, "content": content})
        self._provider.ledger.accepted.append(accepted)
        topic = self._provider.registry.topics.get(accepted.target)
        if topic is not None and topic.fifo and isinstance(content, Push):
            known_by = topic.deduplication_id(content.deduplication_id, content.message)
            topic.seen[known_by] = (accepted.time, accepted.message_id)

    def _note(self, row: Row | None) -> None:
        if row is None:
            self._write({"forgotten": True})
            return
        self._write({"accepted" if isinstance(row, Acceptance) else "attempt": row})

    def _note_device_or_topic(self, arn: str, attributes: Mapping[str, str]) -> None:
        self._write({"arn": arn, "attributes": dict(attributes)})

    def _write(self, line: dict[str, Any]) -> None:
        os.write(self._file, msgspec.json.encode(line) + b"\n")
