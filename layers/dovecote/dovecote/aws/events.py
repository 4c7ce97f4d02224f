"""The events of invocations as typed values, or a problem; and the parts of an HTTP request."""

import base64
import json
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta

from dovecote.core.problems import Malformed, in_words

Shape = TypeVar("Shape")


class _Iam(msgspec.Struct, frozen=True, rename="camel"):
    user_arn: str | None = None


class _Authorizer(msgspec.Struct, frozen=True):
    iam: _Iam | None = None


class _RequestContext(msgspec.Struct, frozen=True):
    authorizer: _Authorizer | None = None


class Http(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A request of an HTTP API, in payload format 2.0.

    `raw_query_string` is still percent-encoded. API Gateway's `queryStringParameters` joins
    repeated parameters with commas, and so hides whether a comma belongs to a value.
    """

    route_key: str
    request_context: _RequestContext
    headers: dict[str, str] | None = None
    path_parameters: dict[str, str] | None = None
    raw_query_string: str = ""
    body: str | None = None
    is_base64_encoded: bool = False


class _Attribute(msgspec.Struct, frozen=True, rename="camel"):
    string_value: str | None = None


class Record(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An SQS message; `body` is None unless it is text."""

    message_id: Annotated[str, Meta(min_length=1)]
    body: str | None
    message_attributes: dict[str, _Attribute] = {}

    def attribute(self, name: str) -> str | None:
        """Return the text of a message attribute."""
        attribute = self.message_attributes.get(name)
        return None if attribute is None else attribute.string_value


class _Records(msgspec.Struct, frozen=True, rename="pascal"):
    records: Annotated[list[Any], Meta(min_length=1)]


class _Identified(msgspec.Struct, frozen=True, rename="camel"):
    message_id: Annotated[str, Meta(min_length=1)]


class _Run(msgspec.Struct, frozen=True):
    source: str = ""


class Expansion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What submit expands: one submission, those of a person, or the due ones without either.

    `runs` is how many runs may follow each other while something is due, this one included.
    """

    notification_id: UUID | None = None
    user_id: str | None = None
    address: str | None = None
    runs: Annotated[int, Meta(ge=1, le=10)] = 1


class _Expand(msgspec.Struct, frozen=True):
    expand: Expansion


class _Users(msgspec.Struct, frozen=True):
    users: dict[str, str] = {}


class Provisioning(msgspec.Struct, frozen=True, rename="pascal"):
    """The properties of the custom resource that provisions the database."""

    users: dict[str, str]
    settings: list[str]


def is_http(event: Any) -> bool:
    """Return whether an event is a request of an HTTP API."""
    return isinstance(event, dict) and event.get("version") == "2.0" and "requestContext" in event


def is_queued(event: Any) -> bool:
    """Return whether an event has an SQS record."""
    records = event.get("Records") if isinstance(event, dict) else None
    return isinstance(records, list) and any(
        isinstance(record, dict) and record.get("eventSource") == "aws:sqs" for record in records
    )


def asks_to_expand(event: Any) -> bool:
    """Return whether an event is for the inbox of submissions in SQL."""
    return isinstance(event, dict) and "expand" in event


def expansion(event: Any) -> Expansion:
    """Read what submit is to expand; raise Malformed."""
    return _read(event, _Expand).expand


def http(event: Any) -> Http:
    """Read a request of an HTTP API; raise Malformed."""
    if not is_http(event):
        raise Malformed("The event is not an HTTP request in payload format 2.0.")
    return _read(event, Http)


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


def caller(event: Http) -> str:
    """Return the ARN of the caller who signed a request, or `unknown` for an unsigned one."""
    authorizer = event.request_context.authorizer
    iam = None if authorizer is None else authorizer.iam
    return (iam and iam.user_arn) or "unknown"


def records(event: Any) -> Sequence[Record]:
    """Read the messages of an SQS event.

    Raises Malformed if one has no id: a batch response could not name it.
    """
    found = _read(event, _Records).records
    return [_record(record, _read(record, _Identified).message_id) for record in found]


def source(event: Any) -> str:
    """Return the invoker of a run of dispatch; raise Malformed."""
    return _read({} if event is None else event, _Run).source


def scheduled(event: Any) -> None:
    """Check that a scheduled event is an object; raise Malformed."""
    _read({} if event is None else event, msgspec.Struct)


def users(event: Any) -> dict[str, str]:
    """Return the database users that a direct invocation of provision names; raise Malformed."""
    return _read({} if event is None else event, _Users).users


def provisioning(properties: Any) -> Provisioning:
    """Read the properties of the custom resource; raise Malformed."""
    return _read(properties, Provisioning)


def _record(record: Any, message_id: str) -> Record:
    try:
        return msgspec.convert(record, Record)
    except msgspec.ValidationError:
        return Record(message_id=message_id, body=None)


def _read(event: Any, shape: type[Shape]) -> Shape:
    try:
        return msgspec.convert(event, shape)
    except (msgspec.ValidationError, RecursionError) as error:
        where = str(error).partition(" - at `")[2].rstrip("`")
        raise Malformed(f"The event cannot be read{_at(where)}: {_words(error)}.") from None


def _at(where: str) -> str:
    return f" at {where[:100]}" if where else ""


def _words(error: Exception) -> str:
    return in_words(error)[:200] if isinstance(error, msgspec.ValidationError) else "is too deep"
