"""Problems in the sense of RFC 9457: the faults of a request, or why it must be repeated.

Problem
  Malformed     400  not JSON, or JSON that parsers read differently
  Invalid       422  well-formed, but invalid
  TooLarge      413
  Mismatch      422  the same key with another body
  Conflict      409  the request does not fit the current state
    InProgress       the same key, still being stored
  NotFound      404
  Failure       500  it could not be stored through no fault of the producer
  Unavailable   503  the database or the push provider is out of reach
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

import msgspec

MEDIA_TYPE = "application/problem+json"

MOST_FAULTS = 100
"""How many faults a problem names; checks stop there."""

MOST_CHARACTERS = 256
"""The longest pointer, and the longest detail, of a fault in an answer."""

_TITLES = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Content",
}
"""Phrases of RFC 9110, which HTTPStatus has since Python 3.13."""

_MOST_OF_A_STEP = 64
"""How much of the name of one member a pointer repeats."""


class Fault(msgspec.Struct, frozen=True):
    """One fault: a JSON pointer into the body (RFC 6901), and a detail.

    Logs show `rule` instead of both. Set it if the pointer or detail repeats words of the request.
    """

    pointer: str
    detail: str
    rule: str | None = None

    @property
    def logged(self) -> str:
        """Return the text for logs, without any word of the request."""
        return f"{self.pointer}: {self.detail}" if self.rule is None else self.rule


class Problem(Exception):
    """An error response."""

    status: ClassVar[HTTPStatus]
    retry_after: ClassVar[int | None] = None

    def __init__(self, detail: str, errors: Sequence[Fault] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors[:MOST_FAULTS]

    def document(self, most: int = MOST_FAULTS) -> dict[str, Any]:
        """Return the members of the problem document, with at most so many errors."""
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": _TITLES.get(self.status, self.status.phrase),
            "status": int(self.status),
            "detail": self.detail,
        }
        if self.errors:
            document["errors"] = [
                {"pointer": _cut(fault.pointer), "detail": _cut(fault.detail)}
                for fault in self.errors[:most]
            ]
        return document

    def headers(self) -> Mapping[str, str]:
        """Return the headers that go with the document."""
        headers = {"Content-Type": MEDIA_TYPE}
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        return headers


class Malformed(Problem):
    """The request cannot be read."""

    status = HTTPStatus.BAD_REQUEST


class TooLarge(Problem):
    """The request exceeds a size limit."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class Invalid(Problem):
    """The request is well-formed, but invalid."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class Mismatch(Invalid):
    """The idempotency key was used with another body."""


class Conflict(Problem):
    """The request does not fit the current state."""

    status = HTTPStatus.CONFLICT


class InProgress(Conflict):
    """The first request with this key is still being stored."""

    retry_after = 1


class NotFound(Problem):
    """The resource does not exist."""

    status = HTTPStatus.NOT_FOUND


class Failure(Problem):
    """It could not be stored; a retry is harmless, and may succeed after the next release."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR


class Unavailable(Problem):
    """The database or a provider is out of reach; nothing is known to be stored."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    retry_after = 5


def in_words(error: msgspec.ValidationError) -> str:
    """Return msgspec's error without its path, which the pointer gives, and without its regex."""
    sentence = str(error).partition(" - at `")[0]
    if "matching regex" in sentence:
        return "has characters that are not allowed"
    return sentence.replace("Expected", "expected", 1)


def pointer(path: Sequence[str | int]) -> str:
    """Return the JSON pointer of a path (RFC 6901); a long name in it ends in an ellipsis."""
    steps = (_cut(str(step), _MOST_OF_A_STEP) for step in path)
    return "".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in steps)


def _cut(text: str, most: int = MOST_CHARACTERS) -> str:
    """Return a text that is not longer than `most` characters."""
    return text if len(text) <= most else f"{text[: most - 1]}\N{HORIZONTAL ELLIPSIS}"
