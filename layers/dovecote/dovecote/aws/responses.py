"""HTTP responses, as functions return them to API Gateway."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from dovecote.core.errors import ProviderUnavailable, StoreBusy, StoreUnavailable
from dovecote.core.ports import Log
from dovecote.core.problems import Problem, Unavailable

if TYPE_CHECKING:  # submit has no pages
    from dovecote.core.parsing.queries import Item, Page

Response = dict[str, Any]


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


def _response(status: int, document: Any, headers: Mapping[str, str] | None = None) -> Response:
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json", **(headers or {})},
        "body": msgspec.json.encode(document).decode(),
    }
