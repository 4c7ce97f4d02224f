"""The email channel is passive: one provider request per `send`, and one outcome per claim."""

import uuid
from typing import Any, cast
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from dovecote.catalog.rendering import Renderer
from dovecote.channels.email.channel import EmailChannel
from dovecote.channels.email.mail import Mail
from dovecote.channels.email.message import Message, written
from dovecote.core.errors import ProviderUnavailable
from dovecote.core.outcome import Ambiguous, Delivered, Permanent
from tests.unit.examples import ANN, KIND, a_claim, a_kind

REFUSED = ClientError(
    {
        "Error": {"Code": "BadRequestException", "Message": "no"},
        "ResponseMetadata": {"HTTPStatusCode": 400},
    },
    "SendBulkEmail",
)


def an_email_channel(client: Any, **more: Any) -> EmailChannel:
    values: dict[str, Any] = {
        "catalog": {KIND: a_kind()},
        "renderer": cast(Renderer, None),
        "sender": "Shop <shop@example.com>",
        "configuration_set": "",
        "bulk_size": 50,
    }
    return EmailChannel(client=client, **(values | more))


def messages(count: int) -> list[Message]:
    mail = Mail(subject="Hi", html="<p>Hi</p>", text="Hi", headers={})
    return [written(a_claim(route_id=uuid.uuid4()), ANN, mail) for _ in range(count)]


def test_one_email_is_one_send_email() -> None:
    client = Mock(send_email=Mock(return_value={"MessageId": "m-1"}))
    (email,) = messages(1)
    (reply,) = an_email_channel(client).send([email])
    assert reply == ([email.claim], Delivered(message_id="m-1"))
    assert (client.send_email.call_count, client.send_bulk_email.call_count) == (1, 0)


@pytest.mark.parametrize("answered", [0, 2, 3])
def test_several_emails_are_one_bulk_request_with_an_outcome_for_each(answered: int) -> None:
    entries = [{"Status": "SUCCESS", "MessageId": f"m-{n}"} for n in range(answered)]
    client = Mock(send_bulk_email=Mock(return_value={"BulkEmailEntryResults": entries}))
    emails = messages(3)
    replies = list(an_email_channel(client).send(emails))
    assert client.send_bulk_email.call_count == 1
    assert [claim for claims, _ in replies for claim in claims] == [one.claim for one in emails]
    assert [outcome for _, outcome in replies[:answered]] == [
        Delivered(message_id=f"m-{n}") for n in range(answered)
    ]
    assert all(isinstance(outcome, Ambiguous) for _, outcome in replies[answered:])


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (REFUSED, Permanent(error="BadRequestException (400)")),
        (ReadTimeoutError(endpoint_url="x"), Ambiguous(error="ReadTimeoutError")),
    ],
)
def test_a_bulk_request_that_fails_has_one_outcome_and_is_not_repeated(
    error: Exception, outcome: Any
) -> None:
    client = Mock(send_bulk_email=Mock(side_effect=error))
    emails = messages(3)
    assert list(an_email_channel(client).send(emails)) == [([one.claim for one in emails], outcome)]
    assert (client.send_email.call_count, client.send_bulk_email.call_count) == (0, 1)


def test_a_rate_that_is_set_is_not_asked_of_ses() -> None:
    client = Mock()
    channel = an_email_channel(client, fixed_rate=7.0)
    assert (channel.rate(), channel.rate_from_provider) == (7.0, False)
    assert client.get_account.call_count == 0


@pytest.mark.parametrize(("quota", "rate"), [(14, 14.0), (0, None)])
def test_a_rate_that_is_not_set_is_what_ses_says(quota: float, rate: float | None) -> None:
    client = Mock(get_account=Mock(return_value={"SendQuota": {"MaxSendRate": quota}}))
    channel = an_email_channel(client)
    assert channel.rate_from_provider
    if rate is None:
        with pytest.raises(ProviderUnavailable):
            channel.rate()
    else:
        assert channel.rate() == rate


def test_a_rendered_message_names_neither_its_recipient_nor_its_text() -> None:
    (message,) = messages(1)
    assert ANN not in repr(message)
    assert "Hi" not in repr(message)
