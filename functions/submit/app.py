"""POST /notifications, or the same body by direct invocation."""

from typing import Any

from dovecote import gateway, submission, telemetry, wiring


def handler(event: Any, context: Any) -> Any:
    """Store the notification of an HTTP event or of a direct invocation."""
    log = wiring.log_of(context)
    http = event if gateway.is_http(event) else {}
    parent = gateway.header_of(http, "traceparent")

    def accepted() -> gateway.Answer:
        submit = wiring.submit()
        parsed = submission.parse(
            gateway.body_of(http) if http else gateway.direct_body_of(event),
            key=gateway.header_of(http, "idempotency-key"),
            traceparent=telemetry.continued(parent),
        )
        return gateway.accepted(submit(parsed))

    with wiring.traced(context, "notification.submit", parent):
        answer = gateway.answered(accepted, log)
    wiring.measure_tries()
    return answer if http else gateway.document(answer)
