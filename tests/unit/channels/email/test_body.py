"""boto3 signs and sends a body that is already written."""

import hashlib
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ParamValidationError

from dovecote.channels.email.body import take_body
from dovecote.channels.email.channel import LEAST_BULK

BODY = '{"BulkEmailEntries":["Grüße"]}'.encode()


class Raw:
    """What urllib3 would give."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield b'{"MessageId":"m-1"}'


@pytest.fixture
def sent() -> list[Any]:
    return []


@pytest.fixture
def client(sent: list[Any]) -> Any:
    """A client that answers at once, and keeps what it would have sent."""

    def answer(request: Any, **_: Any) -> AWSResponse:
        sent.append(request)
        return AWSResponse(request.url, 200, {}, Raw())

    made = boto3.session.Session().client(
        "sesv2",
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="s",
    )
    made.meta.events.register("before-send", answer)
    take_body(made, "SendBulkEmail", LEAST_BULK)
    return made


@pytest.mark.parametrize("times", [0, 1], ids=["made once", "made twice of one client"])
def test_the_bytes_are_sent_and_signed_as_they_are(
    client: Any, sent: list[Any], times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed: list[str] = []
    canonical = SigV4Auth.canonical_request

    def noted(self: SigV4Auth, request: Any) -> str:
        signed.append(canonical(self, request))
        return signed[-1]

    monkeypatch.setattr(SigV4Auth, "canonical_request", noted)
    for _ in range(times):
        take_body(client, "SendBulkEmail", LEAST_BULK)
    client.send_bulk_email(Body=BODY)
    (request,) = sent
    assert request.body == BODY
    assert request.headers["Content-Type"] == b"application/json"
    assert request.headers["Content-Length"] == str(len(BODY))
    assert [text.splitlines()[-1] for text in signed] == [hashlib.sha256(BODY).hexdigest()]


def test_bodies_of_two_calls_are_not_mixed_up(client: Any, sent: list[Any]) -> None:
    client.send_bulk_email(Body=b"{1}")
    client.send_bulk_email(Body=b"{2}")
    assert [request.body for request in sent] == [b"{1}", b"{2}"]


def test_other_operations_keep_their_parameters(client: Any, sent: list[Any]) -> None:
    client.get_account()
    client.create_email_identity(EmailIdentity="shop.example")
    client.send_email(Content={"Template": {"TemplateName": "t"}})
    assert [request.body for request in sent] == [
        None,
        b'{"EmailIdentity": "shop.example"}',
        b'{"Content": {"Template": {"TemplateName": "t"}}}',
    ]
    for operation in (client.create_email_identity, client.send_email):
        with pytest.raises(ParamValidationError):
            operation(Body=b"{}")
