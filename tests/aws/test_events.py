"""Every event of events/ by `sam local invoke`."""

from collections.abc import Mapping
from typing import Any

import psycopg
import pytest

from local.sam import provider
from local.sam.event import names, read_event
from local.sam.house import House
from tests.aws.conftest import Answers, body_of

# A container and its image cost ten seconds on a free machine, and some events need another.
pytestmark = [pytest.mark.timeout(300), pytest.mark.channels("email", "push")]

# The status of each event behind HTTP; None for the schedule's, which returns the tally, and for
# those of SQS, which return what failed.
STATUS: Mapping[str, int | None] = {
    "bad-payload": 422,
    "batch": 200,
    "both": 202,
    "cancel": 200,
    "dead-letter": 202,
    "device": 200,
    "devices": 200,
    "email": 202,
    "fails-twice": 202,
    "feedback": None,
    "get": 200,
    "locale": 202,
    "many-recipients": 202,
    "push": 202,
    "queue": None,
    "replay": 202,
    "schedule": None,
    "scheduled": 202,
}


def statuses(answer: dict[str, Any]) -> list[tuple[str, str]]:
    """Return channel and status of each route in an answer."""
    return [(route["channel"], route["status"]) for route in body_of(answer)["routes"]]


def subjects(house: House, address: str) -> list[str]:
    """Return the subjects of what the provider accepted for an address."""
    rows = provider.attempts(house.provider_url)
    return [
        row["content"]["subject"] for row in rows if row["target"] == address and row["content"]
    ]


def outcomes(house: House, address: str) -> list[str]:
    """Return how each request to send to an address ended."""
    return [
        row["outcome"] for row in provider.attempts(house.provider_url) if row["target"] == address
    ]


def test_no_event_is_left_out() -> None:
    assert sorted(STATUS) == names()


@pytest.mark.parametrize("name", sorted(STATUS))
def test_an_event_is_answered_as_events_readme_says(answers: Answers, name: str) -> None:
    assert answers.to(name).get("statusCode") == STATUS[name]


def test_an_email_is_published_at_once(answers: Answers, opened: House) -> None:
    assert statuses(answers.to("email")) == [("email", "published")]
    assert subjects(opened, "success+ann@simulator.amazonses.com").count("Reset your password") == 1


def test_a_replay_is_told_apart_and_sends_nothing(answers: Answers, opened: House) -> None:
    first, again = answers.to("email"), answers.to("replay")
    assert again["headers"]["Idempotent-Replayed"] == "true"
    assert body_of(again)["notification_id"] == body_of(first)["notification_id"]
    assert subjects(opened, "success+ann@simulator.amazonses.com").count("Reset your password") == 1


def test_a_push_reaches_the_device_that_was_registered(answers: Answers, opened: House) -> None:
    assert ("push", "published") in statuses(answers.to("push"))
    targets = [
        row["target"]
        for row in provider.attempts(opened.provider_url)
        if row["outcome"] == "accepted"
    ]
    assert any(":endpoint/APNS/" in target for target in targets)


def test_a_notification_is_read_with_its_routes(answers: Answers) -> None:
    posted, read = body_of(answers.to("both")), body_of(answers.to("get"))
    assert read["notification_id"] == posted["notification_id"]
    assert {route["channel"] for route in read["routes"]} == {"email", "push"}


def test_a_scheduled_notification_is_cancelled(answers: Answers) -> None:
    stored = statuses(answers.to("scheduled"))
    assert {status for _, status in stored} == {"pending"}
    assert body_of(answers.to("cancel")) == {"cancelled": len(stored), "in_flight": 0, "ended": 0}


def test_a_bad_payload_is_told_by_a_pointer(answers: Answers) -> None:
    assert body_of(answers.to("bad-payload"))["errors"][0]["pointer"] == "/payload"


def test_german_templates_are_in_the_layer(answers: Answers, opened: House) -> None:
    assert ("email", "published") in statuses(answers.to("locale"))
    told = subjects(opened, "success+ann@simulator.amazonses.com")
    assert "Bestellung 1235 ist unterwegs" in told


@pytest.mark.parametrize("name", ["fails-twice", "dead-letter"])
def test_a_failure_at_the_provider_is_a_202_and_a_retry(
    answers: Answers, opened: House, name: str
) -> None:
    assert statuses(answers.to(name)) == [("email", "retrying")]
    address = body_of(read_event(name).document)["recipients"][0]["email"]
    assert outcomes(opened, address)[0] == "InternalServiceErrorException"


def test_each_of_a_batch_has_an_answer_of_its_own(answers: Answers) -> None:
    results = body_of(answers.to("batch"))["results"]
    assert [result["status"] for result in results] == [202, 422, 202, 202]


def test_a_message_of_the_queue_is_stored(answers: Answers) -> None:
    assert answers.to("queue") == {"batchItemFailures": []}


def test_an_event_of_ses_about_an_unknown_route_is_taken(answers: Answers) -> None:
    assert answers.to("feedback") == {"batchItemFailures": []}


def test_the_schedule_delivers_what_submit_left(answers: Answers, opened: House) -> None:
    tally = answers.to("schedule")
    left = statuses(answers.to("many-recipients")).count(("email", "pending"))
    assert left > 0
    assert tally["published"] >= left
    with psycopg.connect(opened.database_url) as connection:
        wrong = connection.execute(
            "select status from dovecote.notification_routes where notification_id = %s"
            " and status <> 'published'",
            [body_of(answers.to("many-recipients"))["notification_id"]],
        ).fetchall()
    assert wrong == []
