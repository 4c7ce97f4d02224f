"""The HTTP API of a stack, asked and read: a deployed one signed, the local one as it is."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from operate import OperatorError
from operate.aws import Answer

Document = Mapping[str, Any]


class Api:
    """Reads the API at a URL by a GET that knows how to ask there."""

    def __init__(self, url: str, get: Callable[[str], Answer]) -> None:
        self._url = url.rstrip("/")
        self._get = get

    def read(self, *path: str, **query: str) -> Document | None:
        """Return the document at a path; None if there is none. Raises OperatorError.

        A conflict is the answer for a refused submission, which has no document.
        """
        parts = "/".join(quote(part, safe="") for part in path)
        asked = "?" + urlencode(query, safe="", quote_via=quote) if query else ""
        answer = self._get(f"{self._url}/{parts}{asked}")
        if answer.status in (404, 409):
            return None
        if answer.status != 200:
            raise _refused(answer)
        document: Document = json.loads(answer.body)
        return document

    def pages(self, name: str, **query: str) -> Iterator[Document]:
        """Yield all things of a list, page by page; raises OperatorError."""
        place: dict[str, str] = {}
        while page := self.read(name, **query, **place):
            yield from page[name]
            if page["next"] is None:
                return
            place = {"after": page["next"]}


def _refused(answer: Answer) -> OperatorError:
    if answer.status == 403:
        return OperatorError(
            "the API refuses these credentials (403)",
            "allow execute-api:Invoke on it, or attach the policy of output OperatorPolicyArn",
        )
    try:
        problem = json.loads(answer.body)
        said = [problem.get("detail"), *(error["detail"] for error in problem.get("errors", ()))]
    except ValueError:
        said = []
    words = "; ".join(str(one) for one in said if one)
    return OperatorError(
        f"the API answered {answer.status}{': ' if words else ''}{words}",
        "mend what was asked" if answer.status < 500 else "look at its logs, and ask again",
    )
