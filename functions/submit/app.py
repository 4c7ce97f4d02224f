"""POST /notifications and its batch; the same bodies by direct invocation, and by SQS."""

from collections.abc import Mapping, Sequence
from typing import Any

from dovecote import gateway, submission, telemetry, wiring
from dovecote.gateway import Answer
from dovecote.ports import Log


def handler(event: Any, context: Any) -> Any:
    """Store the notifications of an HTTP event, of messages of SQS or of a direct invocation."""
    log = wiring.log_of(context)
    if gateway.is_queued(event):
        return take(event["Records"], log)
    http = event if gateway.is_http(event) else {}
    parent = gateway.header_of(http, "traceparent")
    accept = accept_batch if gateway.is_batch(event) else accept_one

    def accepted() -> Answer:
        return accept(http, event, telemetry.continued(parent))

    with wiring.traced(context, "notification.submit", parent):
        answer = gateway.answered(accepted, log)
    wiring.measure_tries()
    return answer if http else gateway.document(answer)


def accept_one(http: Mapping[str, Any], event: Any, traceparent: str | None) -> Answer:
    """Store one notification."""
    submit = wiring.submit()
    body = gateway.body_of(http) if http else gateway.direct_body_of(event)
    key = gateway.header_of(http, "idempotency-key")
    return gateway.accepted(submit(submission.parse(body, key=key, traceparent=traceparent)))


def accept_batch(http: Mapping[str, Any], event: Any, traceparent: str | None) -> Answer:
    """Store many notifications, each with its key in its body and a result of its own."""
    submit_batch = wiring.submit_batch()
    body = gateway.body_of(http) if http else gateway.direct_body_of(event)
    return gateway.batched(submit_batch(submission.parse_batch(body, traceparent=traceparent)))


def take(records: Sequence[Mapping[str, Any]], log: Log) -> Answer:
    """Store the notifications of messages; return those that SQS is to bring again."""
    submit_batch = wiring.submit_batch()
    parents = [gateway.attribute_of(record, "traceparent") for record in records]
    with wiring.tracing().span("notification.submit", *parents):
        parsed = [
            submission.parsed(gateway.message_of(record), traceparent=telemetry.continued(parent))
            for record, parent in zip(records, parents, strict=True)
        ]
        return gateway.submitted(records, submit_batch(parsed), log)
