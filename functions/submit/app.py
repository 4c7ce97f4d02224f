"""POST /notifications and its batch; the same bodies by direct invocation, and by SQS.

The schedule and api invoke it to expand submissions in SQL.
"""

from typing import Any

from msgspec.structs import asdict

from dovecote.aws import events, responses, sqs, telemetry
from dovecote.aws.events import Http
from dovecote.aws.responses import Response
from dovecote.aws.sqs import BatchResponse
from dovecote.core.ports import Log
from dovecote.core.problems import Malformed
from dovecote.submit import submission

# Lambda has more CPU before the first request than for it: `clients` loads psycopg now.
from dovecote.wiring import clients, observability  # noqa: F401


def handler(event: Any, context: Any) -> Any:
    """Store the notifications of an HTTP event, of SQS messages or of a direct invocation."""
    log = observability.start_log(context)
    if events.is_queued(event):
        return submit_messages(event, log)
    if events.asks_to_expand(event):
        return expand_submissions(event, context)
    try:
        request = events.http(event) if events.is_http(event) else None
    except Malformed as malformed:
        return responses.problem(malformed)
    parent = None if request is None else events.header(request, "traceparent")
    submit = submit_one if not events.is_batch(request or event) else submit_batch

    def submitted() -> Response:
        return submit(request, event, telemetry.continued(parent))

    with observability.traced(context, "notification.submit", parent):
        response = responses.respond(submitted, log)
    observability.emit_deliveries()
    return responses.body(response) if request is None else response


def submit_one(request: Http | None, event: Any, traceparent: str | None) -> Response:
    """Store one notification."""
    from dovecote.wiring import submit as use_cases  # noqa: PLC0415 - the first request loads it

    submit = use_cases.submit()
    key = None if request is None else events.header(request, "idempotency-key")
    parsed = submission.parse(body(request, event), key=key, traceparent=traceparent)
    return responses.receipt_response(submit(parsed))


def submit_batch(request: Http | None, event: Any, traceparent: str | None) -> Response:
    """Store many notifications, each with its key in its body and a result of its own."""
    from dovecote.wiring import submit as use_cases  # noqa: PLC0415 - the first request loads it

    submit = use_cases.submit().batch
    parsed = submission.parse_batch(body(request, event), traceparent=traceparent)
    return responses.batch_response(submit(parsed))


def body(request: Http | None, event: Any) -> bytes:
    """Return the body of a request, or the event of a direct invocation as one."""
    return events.direct_body(event) if request is None else events.body(request)


def expand_submissions(event: Any, context: Any) -> dict[str, Any]:
    """Expand the due submissions in SQL for the schedule, or those that the event names."""
    try:
        asked = events.expansion(event)
    except Malformed as malformed:
        return malformed.document()
    from dovecote.wiring import submit as use_cases  # noqa: PLC0415 - the first event loads it

    expand = use_cases.expand()
    if asked.notification_id is not None:
        return asdict(expand.one(asked.notification_id))
    if asked.user_id is not None or asked.address is not None:
        return asdict(expand.of_person(user_id=asked.user_id, address=asked.address))
    gauges = use_cases.inbox_gauges()
    tally = asdict(expand.due(lambda: context.get_remaining_time_in_millis() / 1000, asked.runs))
    observability.emit_inbox(tally, gauges)
    return tally


def submit_messages(event: Any, log: Log) -> BatchResponse:
    """Store the notifications of messages; return those that SQS must deliver again."""
    try:
        records = events.records(event)
    except Malformed as malformed:
        return sqs.all_failed(malformed)
    from dovecote.wiring import submit as use_cases  # noqa: PLC0415 - the first request loads it

    submit = use_cases.submit().batch
    parents = [record.attribute("traceparent") for record in records]
    with observability.tracing().span("notification.submit", *parents):
        parsed = [
            submission.parse_one(sqs.body(record), traceparent=telemetry.continued(parent))
            for record, parent in zip(records, parents, strict=True)
        ]
        return sqs.submit_response(records, submit(parsed), log)
