"""The responses of submit: the receipt of a notification, and the results of a batch."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from dovecote.aws import documents, responses
from dovecote.aws.responses import Response
from dovecote.core.problems import Problem

if TYPE_CHECKING:  # the first request loads it
    from dovecote.submit.submit import Receipt

MAX_ROUTES = 10_000
"""A response with 16,000 routes would exceed the 6 MiB that Lambda accepts."""

MAX_RESPONSE_BYTES = 5_000_000
"""The size of a response with routes as Lambda counts it: long ids can exceed it sooner."""

MAX_ERRORS = 500
"""The errors of all problems of a batch together; each problem has at least one."""


def response(receipt: "Receipt") -> Response:
    """Return the 202 of a stored notification, without its routes where they are too large."""
    headers = {"Location": f"/notifications/{receipt.notification_id}"}
    if receipt.replayed:
        headers["Idempotent-Replayed"] = "true"
    document = _document(receipt)
    if _size(document) > MAX_RESPONSE_BYTES:
        del document["routes"]
    return responses.accepted(document, headers)


def batch_response(results: Iterable["Receipt | Problem"]) -> Response:
    """Return the 200 of a batch: for each notification the result of its own request.

    Beyond MAX_ROUTES or MAX_RESPONSE_BYTES in total a result omits its routes; they are stored all
    the same. Beyond MAX_ERRORS in total a problem lists only its first error.
    """
    batch = _BatchResults()
    for result in results:
        if isinstance(result, Problem):
            batch.add_problem(result)
        else:
            batch.add_receipt(result)
    return responses.ok({"results": batch.documents})


class _BatchResults:
    """The documents of a batch, with the totals that bound them."""

    def __init__(self) -> None:
        self.documents: list[dict[str, Any]] = []
        self._routes = 0
        self._bytes = 0
        self._errors = 0

    def add_problem(self, problem: Problem) -> None:
        document = problem.document(max(1, MAX_ERRORS - self._errors))
        self._errors += len(document.get("errors", ()))
        self.documents.append({"status": document["status"], "problem": document})

    def add_receipt(self, receipt: "Receipt") -> None:
        document = _document(receipt)
        self._routes += len(receipt.routes)
        self._bytes += _size(document)
        if self._routes > MAX_ROUTES or self._bytes > MAX_RESPONSE_BYTES:
            del document["routes"]
        self.documents.append(
            {"status": 202, "replayed": receipt.replayed, "notification": document}
        )


def _document(receipt: "Receipt") -> dict[str, Any]:
    return {
        "notification_id": receipt.notification_id,
        "kind": receipt.kind,
        "created_at": receipt.created_at,
        "routes": [documents.route(route) for route in receipt.routes],
    }


def _size(document: Any) -> int:
    """Return the bytes of a document as the JSON string that a function returns it in."""
    encoded = msgspec.json.encode(document)
    return len(encoded) + encoded.count(b'"') + encoded.count(b"\\")
