"""HTTP responses, as functions return them to API Gateway; and the receipts of submit."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from dovecote.aws import documents
from dovecote.core.errors import ProviderUnavailable, StoreBusy, StoreUnavailable
from dovecote.core.ports import Log
from dovecote.core.problems import Problem, Unavailable

if TYPE_CHECKING:  # each function loads its own
    from dovecote.core.parsing.queries import Item, Page
    from dovecote.submit.submit import Receipt

Response = dict[str, Any]

MAX_ROUTES = 10_000
"""A response with 16,000 routes would exceed the 6 MiB that Lambda accepts."""

MAX_RESPONSE_BYTES = 5_000_000
"""The size of a response with routes as Lambda counts it: long ids can exceed it sooner."""

MAX_ERRORS = 500
"""The errors of all problems of a batch together; each problem has at least one."""


def ok(document: Any) -> Response:
    """Return a 200 with a JSON body."""
    return _response(200, document)


def accepted(document: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Return a 202 with a JSON body."""
    return _response(202, document, headers)


def no_content() -> Response:
    """Return a 204."""
    return {"statusCode": 204, "headers": {}}


def page(name: str, found: "Page[Item]", document: "Callable[[Item], Any]") -> Response:
    """Return the 200 of a page: the document of each item, and where the next page begins."""
    items = [document(item) for item in found.items]
    return ok({name: items, "next": found.next})


def problem(error: Problem) -> Response:
    """Return a problem document with its status and headers."""
    return _response(int(error.status), error.document(), error.headers())


def respond(call: Callable[[], Response], log: Log) -> Response:
    """Return a call's response, or the problem document of the error that it raised."""
    try:
        return call()
    except Problem as error:
        return problem(error)
    except (StoreUnavailable, StoreBusy) as error:
        log.error("database out of reach", error=str(error))
        return problem(Unavailable("The database is out of reach; retry later."))
    except ProviderUnavailable as error:
        log.error("push provider out of reach", error=str(error))
        return problem(Unavailable("The push provider is out of reach; retry later."))


def body(response: Response) -> Any:
    """Return the body of a response as a direct invocation gets it."""
    return msgspec.json.decode(response["body"])


def receipt_response(receipt: "Receipt") -> Response:
    """Return the 202 of a stored notification, without its routes where they are too large."""
    headers = {"Location": f"/notifications/{receipt.notification_id}"}
    if receipt.replayed:
        headers["Idempotent-Replayed"] = "true"
    document = _document(receipt)
    if _size(document) > MAX_RESPONSE_BYTES:
        del document["routes"]
    return accepted(document, headers)


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
    return ok({"results": batch.documents})


class _BatchResults(msgspec.Struct):
    """The documents of a batch, with the totals that bound them."""

    documents: list[dict[str, Any]] = []
    routes: int = 0
    bytes: int = 0
    errors: int = 0

    def add_problem(self, problem: Problem) -> None:
        document = problem.document(max(1, MAX_ERRORS - self.errors))
        self.errors += len(document.get("errors", ()))
        self.documents.append({"status": document["status"], "problem": document})

    def add_receipt(self, receipt: "Receipt") -> None:
        document = _document(receipt)
        self.routes += len(receipt.routes)
        self.bytes += _size(document)
        if self.routes > MAX_ROUTES or self.bytes > MAX_RESPONSE_BYTES:
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


def _response(status: int, document: Any, headers: Mapping[str, str] | None = None) -> Response:
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json", **(headers or {})},
        "body": msgspec.json.encode(document).decode(),
    }
