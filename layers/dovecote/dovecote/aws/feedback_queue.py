"""The SQS batches of provider events."""

from collections.abc import Callable, Iterable

from dovecote.aws import sqs
from dovecote.aws.events import Record
from dovecote.aws.sqs import BatchResponse
from dovecote.core.errors import StoreError
from dovecote.core.feedback import BadEvent
from dovecote.core.ports import Log
from dovecote.feedback.record_feedback import Taken


def record_all(
    records: Iterable[Record], record: Callable[[str], Taken], log: Log
) -> BatchResponse:
    """Record the event of each message; return which messages SQS must deliver again.

    A log line names the routes of the events, also where an event changed nothing.
    """
    failures: list[str] = []
    recorded: list[Taken] = []
    for message in records:
        try:
            recorded.append(record(message.body or ""))
        except Exception as error:  # noqa: BLE001 - one event must not bring back the others
            _log_failure(message.message_id, error, log)
            failures.append(message.message_id)
    routes = sorted({str(one.route_id) for one in recorded if one.route_id is not None})
    settled = sum(one.settled for one in recorded)
    log.info("feedback recorded", settled=settled, failed=len(failures), routes=routes)
    return sqs.failed(failures)


def _log_failure(message_id: str, error: Exception, log: Log) -> None:
    """Log why an event was not recorded; only errors of ours may show their text."""
    text = str(error) if isinstance(error, BadEvent | StoreError) else type(error).__name__
    message = "event unreadable" if isinstance(error, BadEvent) else "event not recorded"
    log.error(message, message_id=message_id, error=text)
