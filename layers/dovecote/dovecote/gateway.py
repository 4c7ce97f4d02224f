"""API Gateway's events in, its answers out (HTTP API, payload format 2.0)."""

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from dovecote.feedback import BadEvent, Taken
from dovecote.model import Cancellation, Device, Notification, Route, Suppression
from dovecote.ports import Log, ProviderUnavailable, StoreBusy, StoreError, StoreUnavailable
from dovecote.problems import Malformed, Problem, Unavailable

if TYPE_CHECKING:  # all functions answer through here; submit alone has a catalog to read
    from dovecote.submit import Receipt

Answer = dict[str, Any]


def is_http(event: Any) -> bool:
    """Return whether API Gateway sent this event; any other is a direct invocation."""
    return isinstance(event, dict) and event.get("version") == "2.0" and "requestContext" in event


def body_of(event: Mapping[str, Any]) -> bytes:
    """Return the body of an HTTP event as bytes; raise Malformed."""
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        try:
            return base64.b64decode(body)
        except binascii.Error:
            raise Malformed("The body is not the Base64 that it is said to be.") from None
    return str(body).encode("utf-8", "surrogatepass")


def direct_body_of(event: Any) -> bytes:
    """Return the body that a direct invocation was given as its event; raise Malformed."""
    try:
        text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        raise Malformed("The body is nested too deeply.") from None
    return text.encode("utf-8", "surrogatepass")


def header_of(event: Mapping[str, Any], name: str) -> str | None:
    """Return a header of an HTTP event, however it is spelt: sam local does not lower its case."""
    headers = {str(key).lower(): value for key, value in (event.get("headers") or {}).items()}
    value = headers.get(name.lower())
    return None if value is None else str(value)


def parameters_of(event: Mapping[str, Any], *names: str) -> tuple[str, ...]:
    """Return the path parameters of an HTTP event, which API Gateway has decoded."""
    return tuple(event["pathParameters"][name] for name in names)


def query_of(event: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the query parameters of an HTTP event."""
    return event.get("queryStringParameters") or {}


def answer(status: int, document: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer with a JSON body."""
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json", **(headers or {})},
        "body": msgspec.json.encode(document).decode(),
    }


def answered(call: Callable[[], Answer], log: Log) -> Answer:
    """Return a call's answer, or the problem document of what it raised."""
    try:
        return call()
    except Problem as problem:
        return _refusal(problem)
    except (StoreUnavailable, StoreBusy) as error:
        log.error("database out of reach", error=str(error))
        return _refusal(Unavailable("The database is out of reach; come back later."))
    except ProviderUnavailable as error:
        log.error("push provider out of reach", error=str(error))
        return _refusal(Unavailable("The push provider is out of reach; come back later."))


def accepted(receipt: "Receipt") -> Answer:
    """Return the 202 of a stored notification."""
    headers = {"Location": f"/notifications/{receipt.notification_id}"}
    if receipt.replayed:
        headers["Idempotent-Replayed"] = "true"
    document = {
        "notification_id": receipt.notification_id,
        "kind": receipt.kind,
        "created_at": receipt.created_at,
        "routes": [route_document(route) for route in receipt.routes],
    }
    return answer(202, document, headers)


def told(notification: Notification) -> Answer:
    """Return the 200 of a notification that was asked for, with what is on record of its emails."""
    document = notification_document(notification)
    document["routes"] = [
        {**route_document(route), "delivery": route.delivery} for route in notification.routes
    ]
    return answer(200, document)


def redriven(notification: Notification) -> Answer:
    """Return the 202 of a dead letter that is pending again."""
    return answer(202, notification_document(notification))


def notification_document(notification: Notification) -> dict[str, Any]:
    """Return what a client sees of a notification."""
    return {
        "notification_id": notification.notification_id,
        "kind": notification.kind,
        "idempotency_key": notification.idempotency_key,
        "created_at": notification.created_at,
        "deliver_at": notification.deliver_at,
        "routes": [route_document(route) for route in notification.routes],
    }


def taken(records: Iterable[Mapping[str, Any]], take: Callable[[str], Taken], log: Log) -> Answer:
    """Take the events of an SQS batch; return which of them SQS is to bring again.

    The log line names the routes that were told of, also where that was no news to them.
    """
    failed: list[dict[str, str]] = []
    took: list[Taken] = []
    for record in records:
        try:
            took.append(take(str(record["body"])))
        except BadEvent as error:
            log.error("event cannot be read", message_id=record["messageId"], error=str(error))
            failed.append({"itemIdentifier": record["messageId"]})
        except StoreError as error:
            log.error("event not settled", message_id=record["messageId"], error=str(error))
            failed.append({"itemIdentifier": record["messageId"]})
    routes = sorted({str(one.route_id) for one in took if one.route_id is not None})
    settled = sum(one.settled for one in took)
    log.info("feedback taken", settled=settled, failed=len(failed), routes=routes)
    return {"batchItemFailures": failed}


def cancelled(cancellation: Cancellation) -> Answer:
    """Return the 200 of a cancel: what became of how many routes."""
    return answer(
        200,
        {
            "cancelled": cancellation.cancelled,
            "in_flight": cancellation.in_flight,
            "ended": cancellation.ended,
        },
    )


def suppressed(suppression: Suppression) -> Answer:
    """Return the 200 of a suppressed address."""
    return answer(200, suppression)


def let_go(released: int) -> Answer:
    """Return the 200 of an address that may be sent to again."""
    return answer(200, {"released": released})


def registered(device: Device) -> Answer:
    """Return the 200 of a registered device; its token is nobody's to read."""
    return answer(
        200,
        {
            "user_id": device.user_id,
            "device_session_id": device.device_session_id,
            "platform": device.platform,
        },
    )


def forgotten() -> Answer:
    """Return the 204 of a device that was forgotten."""
    return {"statusCode": 204, "headers": {}}


def document(given: Answer) -> Any:
    """Return the body of an answer as a direct invocation gets it."""
    return msgspec.json.decode(given["body"])


def route_document(route: Route) -> dict[str, Any]:
    """Return what a client sees of a route."""
    return {
        "route_id": route.route_id,
        "channel": route.channel,
        "status": route.status,
        "attempts": route.attempts,
        "next_attempt_at": route.next_attempt_at,
        "last_attempt_at": route.last_attempt_at,
        "last_error": route.last_error,
        "expires_at": route.expires_at,
        "published_at": route.published_at,
        "provider_message_id": route.provider_message_id,
        "user_id": route.user_id,
        "device_session_id": route.device_session_id,
        "email": route.resolved_email,
    }


def _refusal(problem: Problem) -> Answer:
    return answer(int(problem.status), problem.document(), problem.headers())
