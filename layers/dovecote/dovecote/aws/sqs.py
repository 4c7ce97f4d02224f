"""SQS batches of submits and of provider events.

The response to a batch names the messages that SQS must deliver again.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from dovecote.aws.events import Record
from dovecote.core.errors import StoreError
from dovecote.core.feedback import BadEvent
from dovecote.core.ports import Log
from dovecote.core.problems import Problem

if TYPE_CHECKING:  # each function loads its own
    from dovecote.feedback.record_feedback import Taken
    from dovecote.submit.submit import Receipt

BatchResponse = dict[str, Any]


def body(record: Record) -> bytes | None:
    """Return the body of a message as bytes, or None without one."""
    return None if record.body is None else record.body.encode("utf-8", "surrogatepass")


def failed(message_ids: Iterable[str]) -> BatchResponse:
    """Return the response that makes SQS deliver these messages again."""
    return {"batchItemFailures": [{"itemIdentifier": one} for one in message_ids]}


def all_failed(problem: Problem) -> BatchResponse:
    """Return the problem of an unreadable event; the empty id makes SQS keep the whole batch."""
    return {**problem.document(), **failed([""])}


def submit_response(
    records: Sequence[Record], results: Sequence["Receipt | Problem"], log: Log
) -> BatchResponse:
    """Return which messages are not stored, for SQS to deliver again.

    SQS moves a message that can never be stored to the dead-letter queue, which has an alarm.
    """
    failures: list[str] = []
    for record, result in zip(records, results, strict=True):
        if isinstance(result, Problem):
            _log_refused(record.message_id, result, log)
            failures.append(record.message_id)
    log.info("messages stored", stored=len(records) - len(failures), failed=len(failures))
    return failed(failures)


def _log_refused(message_id: str, problem: Problem, log: Log) -> None:
    """Log the problem of a message without any word of the message."""
    write = log.error if problem.retry_after is None else log.warning
    write(
        "message not stored",
        message_id=message_id,
        status=int(problem.status),
        problem=problem.detail,
        errors=[fault.logged[:200] for fault in problem.errors[:10]],
    )


def record_all(
    records: Iterable[Record], record: "Callable[[str], Taken]", log: Log
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
            _log_not_recorded(message.message_id, error, log)
            failures.append(message.message_id)
    routes = sorted({str(one.route_id) for one in recorded if one.route_id is not None})
    settled = sum(one.settled for one in recorded)
    log.info("feedback recorded", settled=settled, failed=len(failures), routes=routes)
    return failed(failures)


def _log_not_recorded(message_id: str, error: Exception, log: Log) -> None:
    """Log why an event was not recorded; only errors of ours may show their text."""
    text = str(error) if isinstance(error, BadEvent | StoreError) else type(error).__name__
    message = "event unreadable" if isinstance(error, BadEvent) else "event not recorded"
    log.error(message, message_id=message_id, error=text)
