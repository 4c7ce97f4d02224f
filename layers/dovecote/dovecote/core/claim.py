"""A claim: a route that one worker may deliver."""

from uuid import UUID

import msgspec


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The right to deliver what a claim takes, for `seconds` from the claim on."""

    token: UUID
    seconds: float


class Claim(msgspec.Struct, frozen=True):
    """A route that a worker may deliver, with what its notification says.

    `attempts` includes this one where `counted`; a claim that is not counted is to be ended
    without a send. `lapsed` says that the claim before this one ran out, `in_doubt` that an
    attempt before this one may have been accepted. `max_attempts` is the effective one.
    `expires_in` is in seconds by the database's clock at the claim, `due` in seconds since 1970.
    `payload` and `data` are JSON text, decoded only where they are needed. `endpoint` is the SNS
    endpoint of the device, where the device is registered and alive. `suppressed` is why nothing is
    sent to the address, where that is so. `refusals` counts how often the route was refused where
    the cause may be its resource; `own_refusal` says that the cause is the route: another one was
    accepted after an earlier refusal. `payload` is empty where it was removed; a `secret` one is
    removed as soon as no route of its notification is live.
    """

    token: UUID
    route_id: UUID
    channel: str
    target: str
    kind: str
    idempotency_key: str
    payload: str
    traceparent: str | None
    user_id: str | None
    device_session_id: str | None
    address: str | None
    endpoint: str | None
    locale: str | None
    data: str | None
    attempts: int
    max_attempts: int
    claims: int
    counted: bool
    lapsed: bool
    in_doubt: bool
    expires_in: float
    lane: int
    due: float
    suppressed: str | None
    refusals: int = 0
    own_refusal: bool = False
    secret: bool = False

    @property
    def trace_id(self) -> str:
        """Return the producer's trace id, or "" where there is none; only a valid one is stored."""
        return (self.traceparent or "")[3:35]

    def __repr__(self) -> str:
        """Name the route and the attempt, and nothing of whom it is for and what it says."""
        return f"Claim(route_id={self.route_id}, kind={self.kind!r}, attempts={self.attempts})"
