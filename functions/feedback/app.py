"""What SES tells of emails after they were sent: EventBridge's events, by way of SQS."""

from typing import Any

from dovecote import gateway, wiring


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Settle the events of a batch; return those that SQS is to bring again."""
    return gateway.taken(event["Records"], wiring.feedback(), wiring.log_of(context))
