"""What SES tells of emails: which events are of ours, and what each makes known."""

import json
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import pytest

from dovecote.channels.email.events import KNOWN
from dovecote.core.errors import StoreUnavailable
from dovecote.core.feedback import BadEvent, DeliveryEvent, Feedback, Verdict
from dovecote.feedback.record_feedback import FeedbackStore, RecordFeedback, Taken
from tests.functions import ROOT
from tests.unit.examples import ANN, ROUTE_ID

MESSAGE_ID = "010001975f3c1a2b-3c4d5e6f-7a8b-49c0-8d1e-2f3a4b5c6d7e-000000"
TAGS = {
    "ses:configuration-set": ["dovecote"],
    "route_id": [str(ROUTE_ID)],
    "claim": ["3"],
    "kind": ["order-shipped"],
}


class Told:
    """A store that remembers what it was told, and says that all of it settled something."""

    def __init__(self) -> None:
        self.told: list[Feedback] = []

    def record_feedback(self, feedback: Feedback) -> bool:
        self.told.append(feedback)
        return True


def take(event: Any) -> tuple[Taken, list[Feedback]]:
    """Take an event; return what became of it, and what the store was told."""
    store = Told()
    text = event if isinstance(event, str) else json.dumps(event)
    return RecordFeedback(store=cast(FeedbackStore, store))(text), store.told


def an_event(event_type: str = "Delivery", tags: Any = None, **detail: Any) -> dict[str, Any]:
    """Return an event of EventBridge as SES writes it."""
    mail = {
        "timestamp": "2026-11-23T14:00:08.114Z",
        "source": "Dovecote <dovecote@example.com>",
        "messageId": MESSAGE_ID,
        "destination": [ANN],
        "headersTruncated": False,
        "tags": TAGS if tags is None else tags,
    }
    return {
        "version": "0",
        "id": "5f0a4c1e-7c5e-4d21-9a36-3f1b8a0c2d47",
        "detail-type": f"Email {event_type}",
        "source": "aws.ses",
        "detail": {"eventType": event_type, "mail": mail, **detail},
    }


def a_note(
    event: str = "delivered", reason: str | None = None, bounce_type: str | None = None
) -> DeliveryEvent:
    at = datetime(2026, 11, 23, 14, 0, 9, 250_000, tzinfo=UTC)
    return DeliveryEvent(event=event, at=at, reason=reason, bounce_type=bounce_type)


@pytest.mark.parametrize(
    ("event_type", "known", "error"),
    [
        # it was taken, whatever becomes of it at the recipient's
        ("Send", Verdict.ACCEPTED, "SES Send"),
        ("Delivery", Verdict.ACCEPTED, "SES Delivery"),
        ("DeliveryDelay", Verdict.ACCEPTED, "SES DeliveryDelay"),
        ("Bounce", Verdict.ACCEPTED, "SES Bounce"),
        ("Complaint", Verdict.ACCEPTED, "SES Complaint"),
        ("Open", Verdict.ACCEPTED, "SES Open"),
        ("Click", Verdict.ACCEPTED, "SES Click"),
        ("Subscription", Verdict.ACCEPTED, "SES Subscription"),
        # it was taken, and then not sent
        ("Reject", Verdict.NOT_SENT, "SES Reject"),
        ("Rendering Failure", Verdict.NOT_SENT, "SES Rendering Failure"),
    ],
)
def test_each_type_of_event_says_what_it_makes_known_of_its_claim(
    event_type: str, known: Verdict, error: str
) -> None:
    assert take(an_event(event_type)) == (
        Taken(route_id=ROUTE_ID, settled=True),
        [Feedback(route_id=ROUTE_ID, claim=3, message_id=MESSAGE_ID, known=known, error=error)],
    )


def test_an_event_that_is_no_news_still_says_whose_it_is() -> None:
    class Knowing(Told):
        def record_feedback(self, feedback: Feedback) -> bool:
            return False

    taking = RecordFeedback(store=cast(FeedbackStore, Knowing()))
    assert taking(json.dumps(an_event())) == Taken(route_id=ROUTE_ID, settled=False)


AT = "2026-11-23T14:00:09.250Z"
NOTES: list[tuple[str, dict[str, Any], DeliveryEvent]] = [
    # delivered: no words, though the mail server had some
    ("Delivery", {"delivery": {"timestamp": AT, "smtpResponse": f"250 {ANN} ok"}}, a_note()),
    # delayed, and why
    (
        "DeliveryDelay",
        {"deliveryDelay": {"timestamp": AT, "delayType": "MailboxFull", "expirationTime": AT}},
        a_note("delayed", "mailboxfull"),
    ),
    # bounced: for good, for now, and nobody knows
    (
        "Bounce",
        {"bounce": {"timestamp": AT, "bounceType": "Permanent", "bounceSubType": "General"}},
        a_note("bounced", "permanent/general", "permanent"),
    ),
    (
        "Bounce",
        {"bounce": {"timestamp": AT, "bounceType": "Transient", "bounceSubType": "MailboxFull"}},
        a_note("bounced", "transient/mailboxfull", "transient"),
    ),
    (
        "Bounce",
        {"bounce": {"timestamp": AT, "bounceType": "Undetermined"}},
        a_note("bounced", "undetermined", "undetermined"),
    ),
    # a type that is new is not taken for a permanent one
    (
        "Bounce",
        {"bounce": {"timestamp": AT, "bounceType": f"Permanent: {ANN}", "bounceSubType": "New"}},
        a_note("bounced", "new", "undetermined"),
    ),
    # complained, by the feedback type of the mail provider's report where it has one
    (
        "Complaint",
        {"complaint": {"timestamp": AT, "complaintFeedbackType": "not-spam"}},
        a_note("complained", "not-spam"),
    ),
    (
        "Complaint",
        {"complaint": {"timestamp": AT, "complaintSubType": "OnAccountSuppressionList"}},
        a_note("complained", "onaccountsuppressionlist"),
    ),
    ("Complaint", {"complaint": {"timestamp": AT}}, a_note("complained")),
    # words of somebody's are no reason
    (
        "Complaint",
        {"complaint": {"timestamp": AT, "complaintFeedbackType": f"abuse by {ANN}"}},
        a_note("complained"),
    ),
]


@pytest.mark.parametrize(("event_type", "detail", "note"), NOTES)
def test_what_became_of_an_email_is_noted_with_the_time_and_the_words_of_ses(
    event_type: str, detail: dict[str, Any], note: DeliveryEvent
) -> None:
    _, (feedback,) = take(an_event(event_type, **detail))
    assert feedback.note == note


@pytest.mark.parametrize(
    "member", [None, {}, {"timestamp": "yesterday"}, {"timestamp": "2026-11-23T14:00:09"}, "x", []]
)
@pytest.mark.parametrize("event_type", ["Delivery", "DeliveryDelay", "Bounce", "Complaint"])
def test_what_cannot_be_noted_still_makes_the_acceptance_known(
    event_type: str, member: Any
) -> None:
    name = event_type[0].lower() + event_type[1:]
    _, (feedback,) = take(an_event(event_type, **{name: member}))
    assert (feedback.known, feedback.note) == (Verdict.ACCEPTED, None)


def test_every_type_that_is_known_is_in_the_table_above() -> None:
    assert len(KNOWN) == 10


def test_the_event_of_events_is_read() -> None:
    batch = json.loads((ROOT / "events" / "feedback.json").read_text())
    (record,) = batch["Records"]
    _, (feedback,) = take(record["body"])
    assert (feedback.route_id, feedback.claim) == (UUID(int=0), 1)
    assert (feedback.message_id, feedback.known) == (MESSAGE_ID, Verdict.ACCEPTED)


@pytest.mark.parametrize(
    ("event_type", "detail", "error"),
    [
        # the one reason that SES gives: a virus
        ("Reject", {"reject": {"reason": "Bad content"}}, "SES Reject: Bad content"),
        # words of a template, or of somebody's
        ("Reject", {"reject": {"reason": f"{ANN} is bad"}}, "SES Reject"),
        (
            "Rendering Failure",
            {"failure": {"errorMessage": f"no name for {ANN}", "templateName": "t"}},
            "SES Rendering Failure",
        ),
    ],
)
def test_why_it_was_not_sent_repeats_nothing_of_the_email(
    event_type: str, detail: dict[str, Any], error: str
) -> None:
    _, (feedback,) = take(an_event(event_type, **detail))
    assert feedback.error == error


NOT_OURS: dict[str, Any] = {
    "another service's": {**an_event(), "source": "aws.s3"},
    "one made by hand": {**an_event(), "source": "com.example"},
    "an identity's of SES": {"source": "aws.ses", "detail": {"advisories": []}},
    "a detail that is text": {"source": "aws.ses", "detail": "Delivery"},
    "a detail that is nothing": {"source": "aws.ses", "detail": None},
    "an email without a message id": {
        "source": "aws.ses",
        "detail": {"eventType": "Send", "mail": {"tags": TAGS}},
    },
    "a type that is new": an_event("Translation Failure"),
    "a type in other letters": an_event("delivery"),
}


@pytest.mark.parametrize("event", NOT_OURS.values(), ids=NOT_OURS)
def test_an_event_of_something_else_changes_nothing(event: dict[str, Any]) -> None:
    assert take(event) == (Taken(), [])


TAGS_OF_OTHERS: dict[str, dict[str, Any]] = {
    "none": {},
    "those of SES alone": {"ses:configuration-set": ["dovecote"]},
    "no claim": {**TAGS, "claim": []},
    "no route": {**TAGS, "route_id": []},
    "a route of another system": {**TAGS, "route_id": ["route-66"]},
    "a claim that is no number": {**TAGS, "claim": ["first"]},
    "a claim that is no number of ours": {**TAGS, "claim": ["9" * 5000]},
    "a claim that nothing could have": {**TAGS, "claim": ["0"]},
    "a claim that could not be stored": {**TAGS, "claim": ["2147483648"]},
    "text in place of lists": {**TAGS, "claim": "3"},
}


@pytest.mark.parametrize("tags", TAGS_OF_OTHERS.values(), ids=TAGS_OF_OTHERS)
def test_an_email_of_somebody_else_changes_nothing(tags: dict[str, Any]) -> None:
    assert take(an_event(tags=tags)) == (Taken(), [])


def test_an_email_without_tags_changes_nothing() -> None:
    event = an_event()
    del event["detail"]["mail"]["tags"]
    assert take(event) == (Taken(), [])


MALFORMED = {
    "nothing": "",
    "no JSON": "{",
    "half of it": json.dumps(an_event())[:-10],
    "a list": "[]",
    "text": '"Delivery"',
    "null": "null",
    "no source": '{"detail": {}}',
    "no detail": '{"source": "aws.ses"}',
    "a source that is no text": '{"source": 7, "detail": {}}',
    "half of a pair": r'{"source": "aws.ses\ud800", "detail": {}}',
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_event_is_said_to_be_none(text: str) -> None:
    with pytest.raises(BadEvent):
        take(text)


def test_a_bad_event_is_not_repeated() -> None:
    with pytest.raises(BadEvent) as caught:
        take(f'{{"source": ["{ANN}"], "detail": {{}}}}')
    assert "success" not in str(caught.value)


def test_what_the_store_cannot_take_is_told_again() -> None:
    class OutOfReach(Told):
        def record_feedback(self, feedback: Feedback) -> bool:
            raise StoreUnavailable("gone")

    taking = RecordFeedback(store=cast(FeedbackStore, OutOfReach()))
    with pytest.raises(StoreUnavailable):
        taking(json.dumps(an_event()))
