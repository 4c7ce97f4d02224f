"""SQS batches of submits."""

from typing import Any

import pytest

from dovecote.aws import sqs
from dovecote.aws.events import Record
from dovecote.core.problems import Fault, Invalid, Malformed, Problem, Unavailable
from dovecote.submit.submit import Receipt
from tests.unit.examples import ANN, NOON, NOTIFICATION_ID, ROUTE
from tests.unit.lines import Lines

RECEIPT = Receipt(
    notification_id=NOTIFICATION_ID,
    kind="order.shipped",
    created_at=NOON,
    routes=[ROUTE],
    replayed=False,
)
RECORDS = [Record(message_id=f"m-{place}", body=ANN) for place in range(3)]


@pytest.mark.parametrize(
    ("text", "body"),
    [(None, None), ("", b""), ("\u00fc", b"\xc3\xbc"), ("\ud800", b"\xed\xa0\x80")],
)
def test_the_body_of_a_message_is_bytes(text: str | None, body: bytes | None) -> None:
    assert sqs.body(Record(message_id="m", body=text)) == body


@pytest.mark.parametrize(
    ("problem", "level"),
    [(Unavailable("later"), "warning"), (Invalid("no", [Fault("/kind", "is missing")]), "error")],
)
def test_sqs_delivers_again_what_was_not_stored(problem: Problem, level: str) -> None:
    log = Lines()
    response = sqs.submit_response(RECORDS, [RECEIPT, problem, RECEIPT], log)
    assert response == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}
    assert log.lines == [(level, "message not stored"), ("info", "messages stored")]


def test_the_log_of_a_refused_message_repeats_nothing_of_it() -> None:
    class Fields(Lines):
        def error(self, message: str, /, **fields: Any) -> None:
            self.fields = fields

    log = Fields()
    fault = Fault(f"/recipients/0/{ANN}", "is unknown", "/recipients/0/*: is unknown")
    sqs.submit_response(RECORDS[:1], [Invalid("no", [fault])], log)
    assert log.fields["errors"] == ["/recipients/0/*: is unknown"]
    assert ANN not in str(log.fields)


def test_an_unreadable_event_makes_sqs_keep_the_whole_batch() -> None:
    response = sqs.all_failed(Malformed("no"))
    assert response["status"] == 400
    assert response["batchItemFailures"] == [{"itemIdentifier": ""}]
