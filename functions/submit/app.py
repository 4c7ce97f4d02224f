"""POST /notifications and its batch; the same bodies by direct invocation, and by SQS."""

from typing import Any

from dovecote import wiring
from dovecote.aws import events, gateway, telemetry
from dovecote.aws.events import Http
from dovecote.aws.gateway import Answer
from dovecote.core.ports import Log
from dovecote.core.problems import Malformed
from dovecote.submit import submission


def handler(event: Any, context: Any) -> Any:
    """Store the notifications of an HTTP event, of messages of SQS or of a direct invocation."""
    log = wiring.log_of(context)
    if events.is_queued(event):
        return take(event, log)
    try:
        request = events.http(event) if events.is_http(event) else None
    except Malformed as malformed:
        return gateway.refused(malformed)
    parent = None if request is None else gateway.header_of(request, "traceparent")
    accept = accept_one if not gateway.is_batch(request or event) else accept_batch

    def accepted() -> Answer:
        return accept(request, event, telemetry.continued(parent))

    with wiring.traced(context, "notification.submit", parent):
        answer = gateway.answered(accepted, log)
    wiring.measure_tries()
    return gateway.document(answer) if request is None else answer


def accept_one(request: Http | None, event: Any, traceparent: str | None) -> Answer:
    """Store one notification."""
    submit = wiring.submit()
    key = None if request is None else gateway.header_of(request, "idempotency-key")
    body = submission.parse(body_of(request, event), key=key, traceparent=traceparent)
    return gateway.accepted(submit(body))


def accept_batch(request: Http | None, event: Any, traceparent: str | None) -> Answer:
    """Store many notifications, each with its key in its body and a result of its own."""
    submit_batch = wiring.submit_batch()
    bodies = submission.parse_batch(body_of(request, event), traceparent=traceparent)
    return gateway.batched(submit_batch(bodies))


def body_of(request: Http | None, event: Any) -> bytes:
    """Return the body of a request, or the event of a direct invocation as one."""
    return gateway.direct_body_of(event) if request is None else gateway.body_of(request)


def take(event: Any, log: Log) -> Answer:
    """Store the notifications of messages; return those that SQS is to bring again."""
    try:
        records = events.records(event)
    except Malformed as malformed:
        return gateway.unreadable(malformed)
    submit_batch = wiring.submit_batch()
    parents = [record.attribute("traceparent") for record in records]
    with wiring.tracing().span("notification.submit", *parents):
        parsed = [
            submission.parsed(gateway.message_of(record), traceparent=telemetry.continued(parent))
            for record, parent in zip(records, parents, strict=True)
        ]
        return gateway.submitted(records, submit_batch(parsed), log)
