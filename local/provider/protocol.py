"""Answers and refusals as AWS writes them: in JSON, and for the query protocol of SNS in XML."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from xml.etree.ElementTree import Element, tostring

from aiohttp import web
from aiohttp.typedefs import Handler

NAMESPACE = "http://sns.amazonaws.com/doc/2010-03-31/"
Content = str | Sequence[tuple[str, "Content"]]


class AwsError(Exception):
    """A request that is refused: status, code and message as AWS gives them."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class ConnectionDies(Exception):
    """The connection is to be closed without an answer."""


def refuse(error: Callable[[str], AwsError], faults: Mapping[str, bool]) -> None:
    """Raise the error of the first fault that there is, by its message."""
    for message, is_there in faults.items():
        if is_there:
            raise error(message)


@web.middleware
async def refusing(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer what a handler refuses, and close the connection where it wants no answer."""
    try:
        return await handler(request)
    except AwsError as error:
        # SNS and SQS share a path, and SQS names its operation in a header.
        is_query = request.path == "/" and "X-Amz-Target" not in request.headers
        return _xml_refusal(error) if is_query else _json_refusal(error)
    except ConnectionDies:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()  # which can no longer be written


def answer(document: object) -> web.Response:
    """Answer in JSON."""
    return web.json_response(document, headers={"x-amzn-RequestId": str(uuid.uuid4())})


def xml_answer(action: str, result: Content) -> web.Response:
    """Answer an action of the query protocol."""
    metadata = [("RequestId", str(uuid.uuid4()))]
    return _xml(
        f"{action}Response", [(f"{action}Result", result), ("ResponseMetadata", metadata)], 200
    )


def _json_refusal(error: AwsError) -> web.Response:
    response = answer({"__type": error.code, "message": error.message})
    response.set_status(error.status)
    response.headers["x-amzn-ErrorType"] = error.code
    return response


def _xml_refusal(error: AwsError) -> web.Response:
    side = "Sender" if error.status < 500 else "Receiver"
    detail = [("Type", side), ("Code", error.code), ("Message", error.message)]
    content: Content = [("Error", detail), ("RequestId", str(uuid.uuid4()))]
    return _xml("ErrorResponse", content, error.status)


def _xml(name: str, content: Content, status: int) -> web.Response:
    root = _element(name, content)
    root.set("xmlns", NAMESPACE)
    return web.Response(body=tostring(root), status=status, content_type="text/xml")


def _element(name: str, content: Content) -> Element:
    element = Element(name)
    if isinstance(content, str):
        element.text = content
    else:
        element.extend(_element(*member) for member in content)
    return element
