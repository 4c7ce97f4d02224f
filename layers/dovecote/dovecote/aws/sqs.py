"""SQS batches: the messages, and the response that names those that SQS must deliver again."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from dovecote.aws.events import Record
from dovecote.core.ports import Log
from dovecote.core.problems import Problem

if TYPE_CHECKING:  # the first request loads it
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
