"""SQS batches of provider events."""

from typing import Any
from uuid import UUID

from dovecote.aws import sqs
from dovecote.aws.events import Record
from dovecote.core.errors import StoreFailed, StoreUnavailable
from dovecote.core.feedback import BadEvent
from dovecote.feedback.record_feedback import Taken
from tests.unit.examples import ANN, ROUTE_ID
from tests.unit.lines import Lines

OTHER_ID = UUID("0192f6a0-0000-4000-8000-00000000000a")


def test_sqs_delivers_again_only_the_events_that_were_not_recorded() -> None:
    answers: dict[str, Taken | Exception] = {
        "settles": Taken(route_id=ROUTE_ID, settled=True),
        "no event": BadEvent("Invalid JSON"),
        "is no news": Taken(route_id=OTHER_ID),
        "out of reach": StoreUnavailable("gone"),
        "refused": StoreFailed("CheckViolation"),
        "a bug": OverflowError(ANN),
    }

    def take(body: str) -> Taken:
        answer = answers[body]
        if isinstance(answer, Exception):
            raise answer
        return answer

    log = Lines()
    records = [Record(message_id=f"m-{place}", body=body) for place, body in enumerate(answers)]
    assert sqs.record_all(records, take, log) == {
        "batchItemFailures": [{"itemIdentifier": f"m-{place}"} for place in (1, 3, 4, 5)]
    }
    assert log.lines == [
        ("error", "event unreadable"),
        ("error", "event not recorded"),
        ("error", "event not recorded"),
        ("error", "event not recorded"),
        ("info", "feedback recorded"),
    ]


def test_the_log_line_of_a_batch_names_each_route_once_and_no_recipient() -> None:
    class Fields(Lines):
        def info(self, message: str, /, **fields: Any) -> None:
            self.fields = fields

    log = Fields()
    events = {
        "settles": Taken(route_id=ROUTE_ID, settled=True),
        "is no news": Taken(route_id=ROUTE_ID),
        "of another": Taken(route_id=OTHER_ID),
        "of no route": Taken(),
    }
    sqs.record_all([Record(message_id="m", body=body) for body in events], events.__getitem__, log)
    assert log.fields == {
        "settled": 1,
        "failed": 0,
        "routes": sorted([str(ROUTE_ID), str(OTHER_ID)]),
    }
