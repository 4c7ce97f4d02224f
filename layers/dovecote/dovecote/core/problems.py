"""Problems in the sense of RFC 9457: what a producer did, or why it must come back.

Problem
  Malformed     400  not JSON, or JSON that no two readers would read alike
  Invalid       422  well-formed, and something in it cannot be taken
  TooLarge      413
  Mismatch      422  the same key with another body
  Conflict      409  what is asked for does not fit how it stands
    InProgress       the same key, still being stored
  NotFound      404
  Failure       500  it could not be stored, and that is not the producer's fault
  Unavailable   503  the database or the push provider is out of reach
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

import msgspec

MEDIA_TYPE = "application/problem+json"

MOST_FAULTS = 100
"""How many faults a problem names; the search for more stops there."""

MOST_CHARACTERS = 256
"""The longest pointer, and the longest detail, of a fault in an answer."""

_MOST_OF_A_STEP = 64
"""What a pointer repeats of the name of one member."""


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong: a JSON pointer into the body (RFC 6901), and what.

    `rule` stands in logs for both. Set it where pointer or detail repeat words of the request.
    """

    pointer: str
    detail: str
    rule: str | None = None

    @property
    def logged(self) -> str:
        """Return what a log may say: it holds no word of the request."""
        return f"{self.pointer}: {self.detail}" if self.rule is None else self.rule


class Problem(Exception):
    """An answer that is not the one asked for."""

    status: ClassVar[HTTPStatus]
    title: ClassVar[str]
    retry_after: ClassVar[int | None] = None

    def __init__(self, detail: str, errors: Sequence[Fault] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors[:MOST_FAULTS]

    def document(self, most: int = MOST_FAULTS) -> dict[str, Any]:
        """Return the members of the problem document, with at most so many errors."""
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": self.title,
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
    title = "Bad Request"


class TooLarge(Problem):
    """The request is larger than Dovecote takes."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    title = "Content Too Large"


class Invalid(Problem):
    """The request can be read, and something in it cannot be taken."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Unprocessable Content"


class Mismatch(Invalid):
    """The idempotency key was used with another body."""


class Conflict(Problem):
    """What is asked for does not fit how it stands."""

    status = HTTPStatus.CONFLICT
    title = "Conflict"


class InProgress(Conflict):
    """The first request with this key is still being stored."""

    retry_after = 1


class NotFound(Problem):
    """There is no such thing."""

    status = HTTPStatus.NOT_FOUND
    title = "Not Found"


class Failure(Problem):
    """It could not be stored; coming again is harmless, and may help after the next release."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    title = "Internal Server Error"


class Unavailable(Problem):
    """What is needed is out of reach; nothing is known to be stored."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Service Unavailable"
    retry_after = 5


def in_words(error: msgspec.ValidationError) -> str:
    """Say msgspec's error without its path, which the pointer gives, and without its regex."""
    sentence = str(error).partition(" - at `")[0]
    if "matching regex" in sentence:
        return "holds characters that it may not hold"
    return sentence.replace("Expected", "expected", 1)


def pointer(path: Sequence[str | int]) -> str:
    """Return the JSON pointer of a path (RFC 6901); a long name in it ends in an ellipsis."""
    steps = (_cut(str(step), _MOST_OF_A_STEP) for step in path)
    return "".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in steps)


def _cut(text: str, most: int = MOST_CHARACTERS) -> str:
    """Return a text that is not longer than `most` characters."""
    return text if len(text) <= most else f"{text[: most - 1]}\N{HORIZONTAL ELLIPSIS}"
