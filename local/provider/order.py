"""Orders to fail: which requests they are for, and what happens to those."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from local.provider.ledger import Send, Service


class Fault(StrEnum):
    """What an order does to a request."""

    THROTTLE = "throttle"  # refused as AWS refuses what comes too fast
    ERROR = "error"  # refused with the order's status, code and message
    STALL = "stall"  # the order's seconds pass, then it is processed if the client still waits
    STALL_AFTER_ACCEPTING = "stall_after_accepting"  # processed, but the answer is late
    CLOSE_BEFORE_ACCEPTING = "close_before_accepting"  # the connection dies, nothing was accepted
    CLOSE_AFTER_ACCEPTING = "close_after_accepting"  # the connection dies, and it was accepted
    # Accepted, and what comes of it SES tells by an event:
    REJECT = "reject"  # it is found to hold a virus
    DELAY = "delay"  # it is delivered late
    MAILBOX_FULL = "mailbox_full"  # it bounces, and another one might not


FOLLOWED = frozenset({Fault.REJECT, Fault.DELAY, Fault.MAILBOX_FULL})
"""What only an email comes to."""

REFUSALS = frozenset({Fault.THROTTLE, Fault.ERROR})
"""What a call is refused with, or an entry of a bulk call."""


class Order(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fail the requests that match: all of service, address and tags, where given.

    For SNS the address is the ARN of an endpoint or a topic, or a device's token, and the tags are
    the text attributes of the message. The order is over after `times` requests; without `times`
    it stands. With `rate`, each match is failed with that probability. Only an email is rejected,
    delayed or bounced.

    Of a bulk call an order with address or tags fails the entries that match, a refusal at a rate
    that share of the entries, and any other order the call as a whole; a connection that dies or
    stalls is that of the call either way. A `whole` order fails the call as a whole: with an
    address if one entry matches, as IAM denies it.
    """

    do: Fault
    service: Service | None = None
    address: str | None = None
    tags: dict[str, str] = {}
    whole: bool = False
    times: int | None = None
    rate: float = 1.0
    status: int = 500
    code: str = "InternalFailure"
    message: str = "The provider was ordered to fail."
    seconds: float = 0.0

    @property
    def narrow(self) -> bool:
        """Tell whether the order is for some entries of a bulk call and not for all."""
        share = self.rate < 1 and self.do in REFUSALS
        return (self.address is not None or bool(self.tags) or share) and not self.whole

    def matches(self, send: Send) -> bool:
        """Tell whether the order is for this request."""
        return (
            self.service in (None, send.service)
            and (self.do not in FOLLOWED or send.service == "ses")
            and (self.address is None or self.address in send.targets)
            and self.tags.items() <= send.tags.items()
        )


@dataclass(kw_only=True)
class StandingOrder:
    """An order that was given, and how often it was carried out."""

    id: str
    order: Order
    used: int = 0

    @property
    def over(self) -> bool:
        """Tell whether the order has failed all the requests it was to fail."""
        return self.order.times is not None and self.used >= self.order.times


def draw(
    orders: Iterable[StandingOrder],
    send: Send,
    chance: random.Random,
    *,
    narrow: bool | None = None,
) -> Order | None:
    """Return the first order that falls on a request, and count it as carried out.

    Only narrow orders or only others, where `narrow` is given.
    """
    for one in orders:
        if narrow not in (None, one.order.narrow) or one.over or not one.order.matches(send):
            continue
        if chance.random() < one.order.rate:
            one.used += 1
            return one.order
    return None


def read_orders(document: object) -> list[Order]:
    """Read one order or a list of them; raises msgspec.ValidationError that names what is wrong."""
    return msgspec.convert(document if isinstance(document, list) else [document], list[Order])
