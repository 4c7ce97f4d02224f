"""The outcome of one attempt."""

import msgspec

from dovecote.core.claim import Claim


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """The provider accepted the message."""

    message_id: str


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """The attempt failed; another one may succeed.

    `unreached`: the provider was not there to ask. Not `asked`: it did not come to that.
    `refused`: a resource's refusal, and the cause is the route, for the resource accepts others.
    """

    error: str
    unreached: bool = False
    asked: bool = True
    refused: bool = False


class Permanent(msgspec.Struct, frozen=True, kw_only=True):
    """The provider refused the message, and would refuse it again.

    `dead_endpoint` is the endpoint of a device that is no more. Not `asked`: the request was
    never one.
    """

    error: str
    dead_endpoint: str | None = None
    asked: bool = True

    def __repr__(self) -> str:
        """Leave out the endpoint, which identifies a person's device."""
        return f"Permanent(error={self.error!r}, asked={self.asked})"


class Throttled(msgspec.Struct, frozen=True, kw_only=True):
    """The provider refused it because a resource sends too fast."""

    resource: str
    error: str


class Unavailable(msgspec.Struct, frozen=True, kw_only=True):
    """The provider refused it because of a resource, whatever the message.

    Where the resource is one identity, application or topic, the cause may also be the route: SES
    and SNS answer AccessDenied for a recipient, too. The gate decides by what others are answered.
    `doubtful` where that is a guess from many answers that were lost: this one may have been
    accepted too.
    """

    resource: str
    error: str
    doubtful: bool = False


class Ambiguous(msgspec.Struct, frozen=True, kw_only=True):
    """The provider may have accepted the message, and that is not known."""

    error: str


class Unreachable(msgspec.Struct, frozen=True, kw_only=True):
    """The route has no target: the device is dead or gone, or the address is suppressed."""

    reason: str


class NotBegun(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing was sent: the time that was left could not cover a send, or a resource is paused.

    `behind` is the paused one, where it is one identity or application and not the channel.
    """

    behind: str | None = None


Outcome = (
    Delivered | Failed | Permanent | Throttled | Unavailable | Ambiguous | Unreachable | NotBegun
)


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a claim."""

    claim: Claim
    outcome: Outcome
