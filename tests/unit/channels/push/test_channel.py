"""The push channel is passive: one provider request per `send`, and one outcome."""

from typing import Any, cast
from unittest.mock import Mock

from dovecote.catalog.rendering import Renderer
from dovecote.channels.push.channel import Push, PushChannel
from dovecote.core.outcome import Delivered
from dovecote.core.route import Target
from tests.unit.examples import KIND, a_claim, a_kind


def a_push_channel(client: Any) -> PushChannel:
    return PushChannel(
        client=lambda: client,
        catalog={KIND: a_kind()},
        renderer=cast(Renderer, None),
        topic_arn="arn:aws:sns:us-east-1:123456789012:pushes",
        trace_id=lambda: "0" * 32,
        now=float,
    )


def test_a_push_is_one_publish() -> None:
    client = Mock(publish=Mock(return_value={"MessageId": "m-1"}))
    channel = a_push_channel(client)
    claim = a_claim(channel="push", target=Target.TOPIC, user_id="u-1")
    push = channel.prepare(claim)
    assert isinstance(push, Push)
    assert list(channel.send([push])) == [([claim], Delivered(message_id="m-1"))]
    assert client.publish.call_count == 1
    assert channel.rate() is None


def test_a_rendered_message_names_no_recipient() -> None:
    claim = a_claim(channel="push", target=Target.TOPIC, user_id="u-1")
    assert "u-1" not in repr(a_push_channel(Mock()).prepare(claim))
