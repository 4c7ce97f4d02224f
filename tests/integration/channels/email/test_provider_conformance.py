"""What boto3 sees of SES must be the same at the provider and at moto."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.channels.conformance import aws, refusal

__all__ = ["aws"]


SENDER = "shop@example.com"
RECIPIENT = "success+ann@simulator.amazonses.com"


@pytest.fixture(scope="module")
def ses(aws: Callable[[str], Any]) -> Iterator[Any]:
    client = aws("sesv2")
    client.create_email_identity(EmailIdentity=SENDER)
    yield client
    client.close()


def email(**changes: Any) -> dict[str, Any]:
    parts = {
        "Subject": {"Data": "Your order"},
        "Body": {"Html": {"Data": "<p>It is on its way.</p>"}, "Text": {"Data": "On its way."}},
    }
    message = {
        "FromEmailAddress": SENDER,
        "Destination": {"ToAddresses": [RECIPIENT]},
        "Content": {"Simple": parts},
    }
    return {**message, **changes}


def test_an_email_from_a_verified_identity_gets_a_message_id(ses: Any) -> None:
    answer = ses.send_email(**email())

    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert len(answer["MessageId"]) == 60


def test_every_email_gets_a_message_id_of_its_own(ses: Any) -> None:
    ids = {ses.send_email(**email())["MessageId"] for _ in range(3)}

    assert len(ids) == 3


def test_a_sender_with_a_display_name_is_verified_by_its_address(ses: Any) -> None:
    assert ses.send_email(**email(FromEmailAddress=f"Dovecote Shop <{SENDER}>"))["MessageId"]


def test_an_unverified_sender_is_rejected(ses: Any) -> None:
    code, status = refusal(ses.send_email, **email(FromEmailAddress="who@example.org"))

    assert (code, status) == ("MessageRejected", 400)


def test_a_recipient_without_a_domain_is_refused(ses: Any) -> None:
    # moto answers with the code of SES v1 (InvalidParameterValue), AWS with BadRequestException
    _, status = refusal(ses.send_email, **email(Destination={"ToAddresses": ["nobody@"]}))

    assert status == 400


def test_an_email_to_51_recipients_is_refused(ses: Any) -> None:
    # moto: MessageRejected, AWS: BadRequestException
    _, status = refusal(ses.send_email, **email(Destination={"ToAddresses": [RECIPIENT] * 51}))

    assert status == 400


def test_an_identity_is_known_once_it_was_created(ses: Any) -> None:
    assert ses.get_email_identity(EmailIdentity=SENDER)["IdentityType"] == "EMAIL_ADDRESS"


def test_an_unknown_identity_is_not_found(ses: Any) -> None:
    code, _ = refusal(ses.get_email_identity, EmailIdentity="who@example.org")

    assert code == "NotFoundException"
