"""HTTP answers that depend on email."""

import json

from tests.functions import ROOT, Functions
from tests.integration.test_http import assert_no_producer_waits, unreachable

__all__ = ["unreachable"]


def test_a_database_out_of_reach_brings_an_event_again(unreachable: Functions) -> None:
    batch = json.loads((ROOT / "events" / "feedback.json").read_text())
    answer = unreachable.feedback(*[record["body"] for record in batch["Records"]])
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}


def test_emails_on_record_that_are_locked_as_an_index_is_built_keep_no_producer_waiting(
    functions: Functions, database_url: str
) -> None:
    assert_no_producer_waits(functions, database_url, "email_deliveries in share mode")
