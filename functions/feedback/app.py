"""Record the events that SES sends through EventBridge and SQS after a send."""

from typing import Any

from dovecote.aws import events, sqs
from dovecote.core.problems import Malformed
from dovecote.wiring import feedback, observability


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Record the events of a batch; return those that SQS must deliver again."""
    try:
        records = events.records(event)
    except Malformed as malformed:
        return sqs.all_failed(malformed)
    return sqs.record_all(records, feedback.record_feedback(), observability.start_log(context))
