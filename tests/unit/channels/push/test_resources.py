"""The resources of a push: the account, and the application of its device or the topic."""

from typing import cast
from unittest.mock import Mock

import pytest

from dovecote.catalog.rendering import Renderer
from dovecote.channels.push.channel import PushChannel
from dovecote.core.route import Target
from tests.unit.examples import KIND, a_claim, a_kind

ARN = "arn:aws:sns:us-east-1:123456789012:endpoint"


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
        client=Mock(),
        catalog={KIND: a_kind()},
        renderer=cast(Renderer, None),
        topic_arn="",
        trace_id=lambda: "",
        now=float,
    )
    claim = a_claim(channel="push", target=target, endpoint=endpoint)
    assert channel.resources(claim) == ("push", resource)
