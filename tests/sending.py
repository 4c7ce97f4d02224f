"""Send through any channel: bodies, settings and answers of the provider that tests have in common.

A test of behaviour that is the same for all channels sends through `CHANNEL`, the first registered
one, or through each of `dovecote.channels.NAMES`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from dovecote import channels
from dovecote.channels import NAMES
from local.provider import Fault, Order, Provider, Running
from tests.builders import ADDRESS, CHANNEL, KIND
from tests.canary import CANARY

TOPIC = "arn:aws:sns:us-east-1:123456789012:tests"
"""The topic that `create_topic` makes; the fixture `provider` has it."""

SETTINGS: Mapping[str, Mapping[str, str]] = {"email": {}, "push": {"PUSH_TOPIC_ARN": TOPIC}}
"""The settings with which each channel has exactly one route to every recipient here."""

OTHERS: Sequence[str] = tuple(name for name in SETTINGS if name in NAMES and name != CHANNEL)
"""The channels of `a_body` that have a skipped route by the settings of CHANNEL."""

UNREACHED: Mapping[str, str] = {"email": "recipient has no email", "push": "user has no device"}
"""Why a route of each channel is skipped where no device is registered and no address submitted."""

SERVICES: Mapping[str, str] = {"email": "ses", "push": "sns"}
"""The service of the provider that sends the messages of each channel, as an Order names it."""

_OF_ONE_CHANNEL: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "email": (
        "account.password_reset",
        {
            "first_name": f"{CANARY} Ann",
            "reset_url": "https://nestbox.example/reset/1",
            "valid_minutes": 15,
        },
    ),
    "push": ("order.arriving", {"order_id": "1234", "carrier": f"{CANARY} post", "minutes": 15}),
}
"""A kind of the shipped catalog that one channel alone sends, with a payload.

Both have a high priority and 4 attempts.
"""

PERMANENT: Mapping[str, Any] = {"status": 400, "code": "BadRequestException", "message": "refused"}
"""An answer of every provider that refuses one message for good."""

ACCOUNT: Mapping[str, Any] = {"status": 403, "code": "UnrecognizedClientException"}
"""An answer of every provider that refuses the account: the whole channel pauses."""

DENIED: Mapping[str, Any] = {"status": 403, "code": "AccessDeniedException"}
"""An answer of every provider that refuses one resource, which pauses."""


EVENTS: Mapping[str, Mapping[str, Any]] = {
    "email": {
        "source": "aws.ses",
        "detail": {
            "eventType": "Delivery",
            "mail": {
                "messageId": "m-1",
                "tags": {"route_id": ["0192f6a0-0000-7000-8000-000000000001"], "claim": ["1"]},
            },
        },
    },
    "push": {
        "EventType": "DeliveryFailure",
        "FailureType": "EndpointDisabled",
        "EndpointArn": "arn:aws:sns:us-east-1:123456789012:endpoint/GCM/app/unknown",
        "Time": "2026-11-24T14:00:00Z",
    },
}
"""An event of each channel's provider, of a route or a device that is not stored."""


def kind_of(channel: str = CHANNEL) -> str:
    """Return a kind of the shipped catalog that this channel alone sends."""
    return _OF_ONE_CHANNEL[channel][0]


def recipient(number: int = 1, **more: Any) -> dict[str, Any]:
    """Return a recipient whom every channel reaches, by SETTINGS; each number is another one.

    It has the user's id, and the address field of each registered channel.
    """
    address = ADDRESS if number == 1 else ADDRESS.replace("@", f"{number}@")
    fields = {"user_id", *(channel.address_field for channel in channels.every().values())}
    known = {"user_id": f"u-{number}", "email": address}
    return {field: value for field, value in known.items() if field in fields} | more


def channel_body(channel: str = CHANNEL, count: int = 1, **overrides: Any) -> dict[str, Any]:
    """Return a notification that has one route for each of so many recipients, of one channel."""
    kind, payload = _OF_ONE_CHANNEL[channel]
    body = {
        "kind": kind,
        "idempotency_key": "order-1234-shipped",
        "payload": dict(payload),
        "recipients": [recipient(number) for number in range(1, count + 1)],
    }
    return body | overrides


def a_body(**overrides: Any) -> dict[str, Any]:
    """Return a notification to one recipient, of a kind that all shipped channels send.

    Its first route is of CHANNEL, by SETTINGS; that of any other channel is skipped, since no
    device is registered.
    """
    body = {
        "kind": KIND,
        "idempotency_key": "order-1234-shipped",
        "payload": {"order_id": "1234", "carrier": f"{CANARY} post"},
        "recipients": [recipient(data={"first_name": "Ann"})],
    }
    return body | overrides


def create_topic(provider: Provider) -> None:
    """Create the topic of SETTINGS at a provider."""
    provider.registry.create_topic(TOPIC.rsplit(":", maxsplit=1)[-1], {})


def order(provider: Running, fault: Fault, **more: Any) -> None:
    """Let the provider answer what it is sent with a fault."""
    provider.provider.give(Order(do=fault, **more))
