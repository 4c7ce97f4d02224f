"""Events of SES settle the routes of emails, and are shown with them."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dovecote.core.feedback import Feedback
from local.provider import Fault, Running
from local.provider.ledger import Email
from tests.functions import ROOT, Functions, environment, run_functions
from tests.integration.test_feedback import COLUMNS, ERROR, REJECTED, row
from tests.sending import OTHERS, a_body, channel_body, order
from tests.store import Store

Connection = psycopg.Connection[Any]


def test_what_became_of_an_email_is_shown_with_its_route(
    functions: Functions, connection: Connection
) -> None:
    posted = functions.post(a_body())
    path = f"/notifications/{posted.body['notification_id']}"
    email, *others = functions.call("GET", path).body["routes"]
    assert [other["delivery"] for other in others] == [None] * len(OTHERS)
    assert email["delivery"]["message_id"] == email["provider_message_id"]
    assert email["delivery"].pop("accepted_at") is not None
    assert email["delivery"].pop("message_id")
    assert email["delivery"] == dict.fromkeys(COLUMNS.split(", "))
    bounce = {"timestamp": "2026-11-24T14:00:00.250Z", "bounceType": "Permanent"}
    tags = {"route_id": [email["route_id"]], "claim": ["1"]}
    mail = {"messageId": email["provider_message_id"], "tags": tags}
    detail = {"eventType": "Bounce", "mail": mail, "bounce": bounce}
    functions.feedback(json.dumps({"source": "aws.ses", "detail": detail}))
    email, *_ = functions.call("GET", path).body["routes"]
    assert email["delivery"]["bounce_type"] == "permanent"
    assert email["delivery"]["bounced_at"] == "2026-11-24T14:00:00.250000Z"


def test_what_was_rejected_has_no_delivery_until_it_is_sent_again(
    functions: Functions, connection: Connection, store: Store
) -> None:
    posted = functions.post(channel_body())
    path = f"/notifications/{posted.body['notification_id']}"
    (route,) = posted.body["routes"]
    store.record_feedback(
        Feedback(
            route_id=uuid.UUID(route["route_id"]),
            claim=1,
            message_id=route["provider_message_id"],
            known=REJECTED,
            error=ERROR,
        )
    )
    assert functions.call("GET", path).body["routes"][0]["delivery"] is None
    assert functions.call("POST", f"/dead-letters/{route['route_id']}/redrive").status == 202
    assert functions.dispatch()["published"] == 1
    (again,) = functions.call("GET", path).body["routes"]
    assert again["provider_message_id"] != route["provider_message_id"]
    assert again["delivery"]["message_id"] == again["provider_message_id"]


@pytest.fixture
def listening(database_url: str, provider: Running, catalog_folder: Path) -> Iterator[Functions]:
    """The functions with events of SES."""
    values = environment(
        database_url,
        provider.url,
        catalog_folder,
        BACKOFF_BASE_SECONDS="0",
        EMAIL_CONFIGURATION_SET="events",
        EMAIL_FEEDBACK="on",
    )
    with run_functions(values) as wired:
        yield wired


def delivery_of(provider: Running) -> tuple[str, str]:
    """Return the event of the one email that was accepted, and its message id."""
    (accepted,) = provider.provider.ledger.accepted
    assert isinstance(accepted.content, Email)
    tags = {name: [value] for name, value in accepted.content.tags.items()}
    mail = {"messageId": accepted.message_id, "tags": tags}
    event = {"source": "aws.ses", "detail": {"eventType": "Delivery", "mail": mail}}
    return json.dumps(event), accepted.message_id


def test_an_answer_that_was_lost_is_waited_for_and_settled_by_its_event(
    listening: Functions, connection: Connection, provider: Running
) -> None:
    order(provider, Fault.CLOSE_AFTER_ACCEPTING)
    (route,) = listening.post(channel_body()).body["routes"]
    assert (route["status"], route["attempts"]) == ("retrying", 1)
    assert row(connection, "doubt_until > clock_timestamp() + interval '290 s'") == (True,)
    assert listening.dispatch()["claimed"] == 0
    path = f"/notifications/{row(connection, 'notification_id')[0]}"
    assert listening.call("DELETE", path).body == {"cancelled": 0, "in_flight": 1, "ended": 0}
    event, message_id = delivery_of(provider)
    assert listening.feedback(event) == {"batchItemFailures": []}
    assert row(connection) == ("published", message_id)
    assert len(provider.provider.ledger.attempts) == 1


def test_without_an_event_it_is_sent_again_after_the_hold(
    listening: Functions, connection: Connection, provider: Running
) -> None:
    order(provider, Fault.CLOSE_AFTER_ACCEPTING, times=1)
    listening.post(channel_body())
    connection.execute("update dovecote.notification_routes set next_attempt_at = now()")
    assert listening.dispatch()["published"] == 1
    assert row(connection, "attempts, doubt_until") == (2, None)


def test_of_a_batch_what_cannot_be_read_comes_again_and_the_others_are_settled(
    functions: Functions, connection: Connection, provider: Running
) -> None:
    order(provider, Fault.CLOSE_AFTER_ACCEPTING, times=1)
    (route,) = functions.post(channel_body()).body["routes"]
    assert route["status"] == "retrying"
    event, message_id = delivery_of(provider)
    bodies = ["{", event, json.dumps({"source": "aws.s3", "detail": {}})]
    assert functions.feedback(*bodies) == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    assert row(connection) == ("published", message_id)
    assert functions.dispatch()["claimed"] == 0


def test_an_event_of_an_unknown_route_is_taken(functions: Functions) -> None:
    batch = json.loads((ROOT / "events" / "feedback.json").read_text())
    assert functions.feedback(*[record["body"] for record in batch["Records"]]) == {
        "batchItemFailures": []
    }
