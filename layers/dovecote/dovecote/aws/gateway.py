"""What events say to the use cases, and the answers of these as functions return them."""

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from dovecote.aws.events import Http, Record
from dovecote.core.dead_letter import OpenDeadLetter, RecordedRedrive, Redrive
from dovecote.core.device import Device, Registration
from dovecote.core.errors import ProviderUnavailable, StoreBusy, StoreError, StoreUnavailable
from dovecote.core.notification import Cancellation, Notification, Story
from dovecote.core.ports import Log
from dovecote.core.problems import Malformed, Problem, Unavailable
from dovecote.core.route import Route
from dovecote.feedback.record_feedback import BadEvent, Taken

if TYPE_CHECKING:  # all functions answer through here; what one of them asks is loaded by it
    from dovecote.core.queries import Item, Page
    from dovecote.people.erasure import Erased
    from dovecote.people.suppressions import Suppression
    from dovecote.submit.submit import Receipt

Answer = dict[str, Any]
COUNTS = ("matched", "redriven", "refused")
"""What a redrive by filter is answered with."""

MOST_ROUTES = 10_000
"""An answer of 16,000 would be over the 6 MiB that Lambda takes."""

MOST_ANSWER_BYTES = 5_000_000
"""What an answer with routes comes to as Lambda counts it: long ids are over that too."""

MOST_ERRORS = 500
"""Of all problems of a batch together; each has one at least."""

NOT_ONE_TAKEN = [{"itemIdentifier": ""}]
"""Makes Lambda's poller keep the whole batch of messages, whose ids cannot be read."""


def is_batch(event: Any) -> bool:
    """Return whether a request or a direct invocation is for many notifications."""
    if isinstance(event, Http):
        return event.route_key == "POST /notifications/batch"
    return isinstance(event, dict) and "notifications" in event


def body_of(event: Http) -> bytes:
    """Return the body of a request as bytes; raise Malformed."""
    body = event.body or ""
    if event.is_base64_encoded:
        try:
            return base64.b64decode(body, validate=True)
        except ValueError:
            raise Malformed("The body is not the Base64 that it is said to be.") from None
    return body.encode("utf-8", "surrogatepass")


def message_of(record: Record) -> bytes | None:
    """Return the body of a message of SQS as bytes, or None without one."""
    return None if record.body is None else record.body.encode("utf-8", "surrogatepass")


def direct_body_of(event: Any) -> bytes:
    """Return the body that a direct invocation was given as its event; raise Malformed."""
    try:
        text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        raise Malformed("The body is nested too deeply.") from None
    return text.encode("utf-8", "surrogatepass")


def header_of(event: Http, name: str) -> str | None:
    """Return a header of a request, however it is spelt: sam local does not lower its case.

    API Gateway joins the values of a header that was sent more than once with commas.
    """
    headers = (event.headers or {}).items()
    values = [value for key, value in headers if key.lower() == name.lower()]
    return ",".join(values) if values else None


def parameters_of(event: Http, *names: str) -> tuple[str, ...]:
    """Return the path parameters of a request, which API Gateway has decoded; raise Malformed."""
    parameters = event.path_parameters or {}
    missing = [name for name in names if name not in parameters]
    if missing:
        raise Malformed(f"The event has no path parameter {missing[0]}.")
    return tuple(parameters[name] for name in names)


def query_of(event: Http) -> str:
    """Return the query string of a request, still percent-encoded.

    API Gateway's `queryStringParameters` joins repeated parameters with commas: they cannot be
    told from a comma in a value.
    """
    return event.raw_query_string


def caller_of(event: Http) -> str:
    """Return the ARN of the caller who signed a request, or `unknown` for an unsigned one."""
    authorizer = event.request_context.authorizer
    iam = None if authorizer is None else authorizer.iam
    return (iam and iam.user_arn) or "unknown"


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
        return refused(problem)
    except (StoreUnavailable, StoreBusy) as error:
        log.error("database out of reach", error=str(error))
        return refused(Unavailable("The database is out of reach; come back later."))
    except ProviderUnavailable as error:
        log.error("push provider out of reach", error=str(error))
        return refused(Unavailable("The push provider is out of reach; come back later."))


def unreadable(problem: Problem) -> Answer:
    """Return the problem document for an event of SQS that cannot be read as a whole."""
    return {**problem.document(), "batchItemFailures": NOT_ONE_TAKEN}


def accepted(receipt: "Receipt") -> Answer:
    """Return the 202 of a stored notification, without its routes where they are too long."""
    headers = {"Location": f"/notifications/{receipt.notification_id}"}
    if receipt.replayed:
        headers["Idempotent-Replayed"] = "true"
    document = receipt_document(receipt)
    if _size(msgspec.json.encode(document)) > MOST_ANSWER_BYTES:
        del document["routes"]
    return answer(202, document, headers)


def batched(results: Iterable["Receipt | Problem"]) -> Answer:
    """Return the 200 of a batch: for each notification what it would be answered alone.

    Past so many routes or bytes in all an answer leaves out the routes, which are stored like the
    others, and past so many errors those of a problem but its first.
    """
    routes, size, errors = 0, 0, 0
    documents: list[dict[str, Any]] = []
    for result in results:
        if isinstance(result, Problem):
            problem = result.document(max(1, MOST_ERRORS - errors))
            errors += len(problem.get("errors", ()))
            documents.append({"status": problem["status"], "problem": problem})
            continue
        document = receipt_document(result)
        routes += len(result.routes)
        size += _size(msgspec.json.encode(document))
        if routes > MOST_ROUTES or size > MOST_ANSWER_BYTES:
            del document["routes"]
        documents.append({"status": 202, "replayed": result.replayed, "notification": document})
    return answer(200, {"results": documents})


def _size(document: bytes) -> int:
    """Return the bytes of a JSON document as the JSON string that a function returns it in."""
    return len(document) + document.count(b'"') + document.count(b"\\")


def receipt_document(receipt: "Receipt") -> dict[str, Any]:
    """Return what a producer sees of a notification that is stored."""
    return {
        "notification_id": receipt.notification_id,
        "kind": receipt.kind,
        "created_at": receipt.created_at,
        "routes": [route_document(route) for route in receipt.routes],
    }


def notification_answer(story: Story) -> Answer:
    """Return the 200 of a notification with the delivery and history of each route."""
    document = notification_document(story.notification)
    for route, notification_answer in zip(
        story.notification.routes, document["routes"], strict=True
    ):
        notification_answer["delivery"] = route.delivery
        notification_answer["history"] = story.histories.get(route.route_id)
    return answer(200, document)


def page_of(name: str, found: "Page[Item]", document: "Callable[[Item], Any]") -> Answer:
    """Return the 200 of a page of things, each as its document, and where the next begins."""
    items = [document(item) for item in found.items]
    return answer(200, {name: items, "next": found.next})


def redriven(notification: Notification) -> Answer:
    """Return the 202 of a dead letter that is pending again."""
    return answer(202, notification_document(notification))


def redriven_by_filter(done: Redrive | int) -> Answer:
    """Return the 202 of a redrive by filter, or the 200 of a dry run, which counts alone."""
    if isinstance(done, int):
        return answer(200, {"matched": done})
    document = redrive_document(done)
    return answer(202, {name: document[name] for name in ("redrive_id", *COUNTS)})


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


def dead_letter_document(letter: OpenDeadLetter) -> dict[str, Any]:
    """Return what a client sees of a dead letter."""
    document = msgspec.structs.asdict(letter)
    del document["dead_letter_id"]
    return document


def redrive_document(redrive: Redrive | RecordedRedrive) -> dict[str, Any]:
    """Return what a client sees of a redrive."""
    document = msgspec.structs.asdict(redrive)
    document["limit"] = document.pop("most")
    return document


def taken(records: Iterable[Record], take: Callable[[str], Taken], log: Log) -> Answer:
    """Take the events of an SQS batch; return which of them SQS is to bring again.

    The log line names the routes that were told of, also where that was no news to them.
    """
    failed: list[dict[str, str]] = []
    took: list[Taken] = []
    for record in records:
        try:
            took.append(take(record.body or ""))
        except BadEvent as error:
            log.error("event cannot be read", message_id=record.message_id, error=str(error))
            failed.append({"itemIdentifier": record.message_id})
        except Exception as error:  # noqa: BLE001 - one event must not bring the others back
            words = str(error) if isinstance(error, StoreError) else type(error).__name__
            log.error("event not settled", message_id=record.message_id, error=words)
            failed.append({"itemIdentifier": record.message_id})
    routes = sorted({str(one.route_id) for one in took if one.route_id is not None})
    settled = sum(one.settled for one in took)
    log.info("feedback taken", settled=settled, failed=len(failed), routes=routes)
    return {"batchItemFailures": failed}


def submitted(
    records: Sequence[Record], results: Sequence["Receipt | Problem"], log: Log
) -> Answer:
    """Return which messages of an SQS batch are not stored, for SQS to bring again.

    What can never be taken too: SQS puts it into the dead-letter queue in the end, where somebody
    is told of it.
    """
    failed: list[dict[str, str]] = []
    for record, result in zip(records, results, strict=True):
        if isinstance(result, Problem):
            _log_untaken(record.message_id, result, log)
            failed.append({"itemIdentifier": record.message_id})
    log.info("messages taken", stored=len(records) - len(failed), failed=len(failed))
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


def erased(erased: "Erased") -> Answer:
    """Return the 200 of a person who was erased, or of a part: then there is more `remaining`."""
    return answer(
        200,
        {
            "erased": erased.routes,
            "in_flight": erased.in_flight,
            "devices": erased.devices,
            "remaining": erased.remaining,
        },
    )


def suppressed(suppression: "Suppression") -> Answer:
    """Return the 200 of a suppressed address."""
    return answer(200, suppression)


def unsuppressed(released: int) -> Answer:
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


def listed(registrations: Sequence[Registration]) -> Answer:
    """Return the 200 of a user's devices."""
    return answer(200, {"devices": registrations})


def deleted() -> Answer:
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
        "waiting_for": route.waiting_for,
        "waiting_since": route.waiting_since,
        "last_attempt_at": route.last_attempt_at,
        "last_error": route.last_error,
        "expires_at": route.expires_at,
        "published_at": route.published_at,
        "provider_message_id": route.provider_message_id,
        "user_id": route.user_id,
        "device_session_id": route.device_session_id,
        "email": route.resolved_email,
    }


def refused(problem: Problem) -> Answer:
    """Return a problem as an answer."""
    return answer(int(problem.status), problem.document(), problem.headers())


def _log_untaken(message_id: str, problem: Problem, log: Log) -> None:
    """Say what is wrong with a message, and nothing of what it says."""
    say = log.error if problem.retry_after is None else log.warning
    say(
        "message not taken",
        message_id=message_id,
        status=int(problem.status),
        problem=problem.detail,
        errors=[fault.logged[:200] for fault in problem.errors[:10]],
    )
