"""The parts of an HTTP request, and of a direct invocation in its place."""

import base64
import json
from typing import Any

from dovecote.aws.events import Http
from dovecote.core.problems import Malformed


def is_batch(event: Any) -> bool:
    """Return whether a request or a direct invocation submits a batch."""
    if isinstance(event, Http):
        return event.route_key == "POST /notifications/batch"
    return isinstance(event, dict) and "notifications" in event


def body(event: Http) -> bytes:
    """Return the body of a request as bytes; raise Malformed."""
    text = event.body or ""
    if event.is_base64_encoded:
        try:
            return base64.b64decode(text, validate=True)
        except ValueError:
            raise Malformed("The body is not valid Base64, as isBase64Encoded requires.") from None
    return text.encode("utf-8", "surrogatepass")


def direct_body(event: Any) -> bytes:
    """Return the event of a direct invocation as the bytes of a body; raise Malformed."""
    try:
        text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        raise Malformed("The body is nested too deeply.") from None
    return text.encode("utf-8", "surrogatepass")


def header(event: Http, name: str) -> str | None:
    """Return a header of a request; its case is ignored, since sam local keeps it.

    API Gateway joins the values of a repeated header with commas.
    """
    headers = (event.headers or {}).items()
    values = [value for key, value in headers if key.lower() == name.lower()]
    return ",".join(values) if values else None


def path_parameter(event: Http, name: str) -> str:
    """Return a path parameter, which API Gateway has decoded; raise Malformed."""
    parameters = event.path_parameters or {}
    if name not in parameters:
        raise Malformed(f"The event has no path parameter {name}.")
    return parameters[name]


def query_string(event: Http) -> str:
    """Return the query string of a request, still percent-encoded.

    API Gateway's `queryStringParameters` joins repeated parameters with commas, and so hides
    whether a comma belongs to a value.
    """
    return event.raw_query_string


def caller(event: Http) -> str:
    """Return the ARN of the caller who signed a request, or `unknown` for an unsigned one."""
    authorizer = event.request_context.authorizer
    iam = None if authorizer is None else authorizer.iam
    return (iam and iam.user_arn) or "unknown"
