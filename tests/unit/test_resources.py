"""What a claim is sent through: its account, and the identity, application or topic."""

from typing import Any, cast
from unittest.mock import Mock

import pytest

from dovecote.catalog.rendering import Renderer
from dovecote.channels.email.channel import EmailChannel, identity_of
from dovecote.channels.push.channel import PushChannel
from dovecote.core.route import Channel, Target
from tests.unit.examples import KIND, a_claim, a_kind

ARN = "arn:aws:sns:us-east-1:123456789012:endpoint"
UNUSED: dict[str, Any] = {
    "client": Mock(),
    "renderer": cast(Renderer, None),
}


@pytest.mark.parametrize(
    ("sender", "resource"),
    [
        ("shop@example.com", "email/example.com"),
        ("Shop <shop@example.com>", "email/example.com"),
        ('"Shop, Ltd" <shop@EXAMPLE.com>', "email/example.com"),
        # each subdomain may be an identity of its own
        ("news@mail.example.com", "email/mail.example.com"),
        # none: whatever it is, it is not the account
        ("", "email/"),
    ],
)
def test_the_identity_of_a_sender_is_its_domain(sender: str, resource: str) -> None:
    assert identity_of(sender) == resource


@pytest.mark.parametrize(
    ("own", "kind", "resource"),
    [
        # a kind that names a sender, and one that names none
        ("News <news@example.org>", KIND, "email/example.org"),
        (None, KIND, "email/example.com"),
        # one that left the catalog
        (None, "order.lost", "email/example.com"),
    ],
)
def test_an_email_goes_through_the_identity_of_its_kind(
    own: str | None, kind: str, resource: str
) -> None:
    channel = EmailChannel(
        catalog={KIND: a_kind(sender=own)},
        sender="Shop <shop@example.com>",
        configuration_set="",
        bulk_size=50,
        **UNUSED,
    )
    assert channel.resources(a_claim(kind=kind)) == ("email", resource)


@pytest.mark.parametrize(
    ("target", "endpoint", "resource"),
    [
        (Target.DEVICE, f"{ARN}/APNS/shop/0f1e2d3c", "push/APNS/shop"),
        (Target.DEVICE, f"{ARN}/APNS_SANDBOX/shop/0f1e2d3c", "push/APNS_SANDBOX/shop"),
        (Target.DEVICE, f"{ARN}/GCM/shop/0f1e2d3c", "push/GCM/shop"),
        (Target.TOPIC, None, "push/topic"),
        # a device that is gone: nothing is sent through anything
        (Target.DEVICE, None, "push/"),
    ],
)
def test_a_push_goes_through_the_application_of_its_device_or_the_topic(
    target: Target, endpoint: str | None, resource: str
) -> None:
    channel = PushChannel(
        catalog={KIND: a_kind()}, topic_arn="", trace_id=lambda: "", now=float, **UNUSED
    )
    claim = a_claim(channel=Channel.PUSH, target=target, endpoint=endpoint)
    assert channel.resources(claim) == ("push", resource)
