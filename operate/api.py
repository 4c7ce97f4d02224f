"""The HTTP API of a stack: signed calls to a deployed one, unsigned calls to the local one."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from dovecote.core.parsing import strict_json
from operate import OperatorError, aws, trouble
from operate.aws import Answer

LOCAL = "http://127.0.0.1:{port}"
OK = frozenset({200, 202})
Document = Mapping[str, Any]
Send = Callable[[str, str, bytes], Answer]
"""Sends a request: a method, a URL and a body."""


class Refused(OperatorError):
    """The API answered with the status of an error."""

    def __init__(self, status: int, message: str, remedy: str) -> None:
        super().__init__(message, remedy)
        self.status = status


class Api:
    """The calls of the API at a URL; `logs` says how to read the log of a function."""

    def __init__(
        self, url: str, send: Send, logs: Callable[[str], str] = "look at the log of {}".format
    ) -> None:
        self.url = url.rstrip("/")
        self._send = send
        self._logs = logs

    def read(self, *path: str, **query: str) -> Document | None:
        """Return the document at a path; None if there is none. Raises OperatorError.

        A conflict is the answer for a refused submission, which has no document.
        """
        asked = "?" + urlencode(query, safe="", quote_via=quote) if query else ""
        answer = self._send("GET", self._at(path) + asked, b"")
        return None if answer.status in (404, 409) else self._document(answer, "Api")

    def post(self, *path: str, body: Document) -> Document:
        """Return the answer to a POST of a document; raise Refused or another OperatorError."""
        answer = self._send("POST", self._at(path), strict_json.text(body).encode())
        return self._document(answer, "Submit" if path == ("notifications",) else "Api")

    def pages(self, name: str, **query: str) -> Iterator[Document]:
        """Yield all things of a list, page by page; raises OperatorError."""
        place: dict[str, str] = {}
        while page := self.read(name, **query, **place):
            yield from page[name]
            if page["next"] is None:
                return
            place = {"after": page["next"]}

    def _document(self, answer: Answer, function: str) -> Document:
        if answer.status not in OK:
            raise _refused(answer, self._logs(function))
        document: Document = json.loads(answer.body)
        return document

    def _at(self, path: tuple[str, ...]) -> str:
        return "/".join([self.url, *(quote(part, safe="") for part in path)])


def local() -> Api:
    """Return the API of the local stack, at PORT; its calls raise OperatorError if it is down."""
    url = LOCAL.format(port=os.environ.get("PORT") or "8080")

    def send(method: str, at: str, body: bytes) -> Answer:
        try:
            return aws.send_unsigned(method, at, body)
        except trouble.ERRORS:
            raise OperatorError(
                f"the local stack does not answer at {url}",
                "start it with make run, name its PORT, or name an environment with --env",
            ) from None

    return Api(url, send, "look at .local/log/{}Function.log".format)


def _refused(answer: Answer, logs: str) -> Refused:
    if answer.status == 403:
        return Refused(
            403,
            "the API refuses these credentials (403)",
            "allow execute-api:Invoke on it, or attach the policy of output OperatorPolicyArn",
        )
    words = "; ".join(_words(answer.body))
    return Refused(
        answer.status,
        f"the API answered {answer.status}{': ' if words else ''}{words}",
        "correct the request" if answer.status < 500 else logs,
    )


def _words(body: bytes) -> Iterator[str]:
    """Yield what a problem document says, each fault with its place."""
    try:
        problem = json.loads(body)
    except ValueError:
        return
    yield from [problem["detail"]] if problem.get("detail") else ()
    for fault in problem.get("errors", ()):
        yield " ".join(part for part in (fault.get("pointer"), fault["detail"]) if part)
