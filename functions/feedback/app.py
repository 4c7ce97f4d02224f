"""What SES tells of emails after they were sent: EventBridge's events, by way of SQS."""

from typing import Any

from dovecote import wiring
from dovecote.aws import events, gateway
from dovecote.core.problems import Malformed


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Settle the events of a batch; return those that SQS is to bring again."""
    try:
        records = events.records(event)
    except Malformed as malformed:
        return gateway.unreadable(malformed)
    return gateway.taken(records, wiring.feedback(), wiring.log_of(context))
