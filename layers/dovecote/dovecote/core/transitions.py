"""The life of a route: what each event makes of it, and how long a retry waits.

The table of docs/design.md, row by row. Nothing else decides a transition; the store carries
them out and the CHECK constraint of `notification_routes` says the same of a row.
"""

import math
from enum import StrEnum

from msgspec import Struct

from dovecote.core.backoff import Backoff, Random
from dovecote.core.claim import Claim
from dovecote.core.feedback import DeliveryEvent, Feedback, Verdict
from dovecote.core.outcome import (
    Ambiguous,
    Delivered,
    Failed,
    NotBegun,
    Outcome,
    Permanent,
    Throttled,
    Unavailable,
    Unreachable,
)
from dovecote.core.route import Reason, Status

THROTTLED_BASE_SECONDS = 0.5


THROTTLED_MAX_SECONDS = 30.0


THROTTLED_JITTER = 0.5
"""How long a throttled route waits, give or take half of it: many must not return together."""


class Publish(Struct, frozen=True, kw_only=True):
    """To published, with the provider's id."""

    message_id: str


class Retry(Struct, frozen=True, kw_only=True):
    """To retrying, due again after `delay` seconds, at most at expires_at.

    `refused`: the provider refuses this route, and accepts others through the same resource.
    """

    delay: float
    error: str
    refused: bool = False


class DeadLetter(Struct, frozen=True, kw_only=True):
    """To dead_lettered, with a row in notification_dead_letters.

    `error` is None where the route ended without a send, and its last error stays.
    """

    reason: Reason
    error: str | None


class Doubt(Struct, frozen=True, kw_only=True):
    """To retrying, in doubt for `hold` seconds and due again after `delay`.

    Not `counted` where the provider is down for all, which burns no attempt.
    """

    delay: float
    hold: float
    error: str
    counted: bool = True


class GiveBack(Struct, frozen=True, kw_only=True):
    """Unchanged but for its attempt, which is not counted.

    Due again when the pause of the resource `behind` ends, where one is named, and about `delay`
    seconds from now.
    """

    behind: str | None = None
    delay: float = 0.0


class Defer(Struct, frozen=True, kw_only=True):
    """Unchanged but for its attempt, which is not counted: the cause may be the resource `behind`.

    Due again after the routes that wait for the resource.
    """

    behind: str
    error: str


class Deferral(Struct, frozen=True, kw_only=True):
    """What the store writes of a Defer: the seconds after the pause's end, and the error."""

    delay: float
    error: str


class Skip(Struct, frozen=True, kw_only=True):
    """To skipped, its attempt not counted: there is nobody to deliver to."""

    reason: str


Transition = Publish | Retry | DeadLetter | Doubt | GiveBack | Defer | Skip


def after(
    claim: Claim, outcome: Outcome, backoff: Backoff, random: Random, hold: float
) -> Transition:
    """Return what an outcome makes of a claimed route.

    `hold` is how long events are waited for in doubt: 0 where its channel has none.
    """
    match outcome:
        case Delivered(message_id=message_id):
            return Publish(message_id=message_id)
        case Permanent(error=error):
            return DeadLetter(reason=Reason.PERMANENT, error=error)
        case Unreachable(reason=reason):
            return Skip(reason=reason)
        case Failed() | Ambiguous():
            return _tried(claim, outcome, backoff.delay(claim.attempts, random), hold)
        case _:
            return _not_counted(claim, outcome, hold)


def ended(claim: Claim) -> DeadLetter | None:
    """Return the end of a route that was claimed too late to be tried, or None."""
    if claim.counted and claim.expires_in > 0:
        return None
    if claim.in_doubt:
        return DeadLetter(reason=Reason.AMBIGUOUS, error=None)
    expired = claim.expires_in <= 0
    return DeadLetter(reason=Reason.EXPIRED if expired else Reason.ATTEMPTS, error=None)


def unsent(claim: Claim) -> NotBegun | Unreachable | None:
    """Return the outcome of a claim that is not to be sent, or None.

    It came too late, its address is suppressed, or its payload was removed.
    """
    if ended(claim) is not None:
        return NotBegun()
    if claim.suppressed is not None:
        return Unreachable(reason=f"address is suppressed: {claim.suppressed}")
    if not claim.payload:
        return Unreachable(reason="payload was removed")
    return None


def _tried(claim: Claim, outcome: Failed | Ambiguous, delay: float, hold: float) -> Transition:
    if isinstance(outcome, Ambiguous) and hold > 0:
        return Doubt(delay=max(hold, delay), hold=hold, error=outcome.error)
    if claim.attempts >= claim.max_attempts:
        return DeadLetter(reason=Reason.ATTEMPTS, error=outcome.error)
    refused = isinstance(outcome, Failed) and outcome.refused
    return Retry(delay=delay, error=outcome.error, refused=refused)


def _not_counted(
    claim: Claim, outcome: NotBegun | Throttled | Unavailable, hold: float
) -> Transition:
    if isinstance(outcome, Unavailable) and outcome.doubtful and hold > 0:
        return Doubt(delay=hold, hold=hold, error=outcome.error, counted=False)
    resource = outcome.behind if isinstance(outcome, NotBegun) else outcome.resource
    # The lanes of a channel that is paused are not claimed at all.
    if resource is None or resource == claim.channel:
        return GiveBack(delay=throttled_delay(claim) if isinstance(outcome, Throttled) else 0.0)
    if isinstance(outcome, Unavailable):
        return Defer(behind=resource, error=outcome.error)
    return GiveBack(behind=resource)


def throttled_delay(claim: Claim) -> float:
    """Return the seconds before a throttled route is due again: twice as long for each free claim.

    So a route that its provider always throttles does not take the place of others.
    """
    free = min(claim.claims - claim.attempts, 10)
    return min(THROTTLED_MAX_SECONDS, math.ldexp(THROTTLED_BASE_SECONDS, free))


class Recorded(Struct, frozen=True, kw_only=True):
    """A route as an event or an operator finds it.

    `held` while it is in doubt and its hold is not over, `expired` by the time that it has, or is
    to have; `accepted` where an acceptance of its email is on record, `rejected` where it is known
    of the event's message that it was not sent, `erased` where its person was, `removed` where
    the payload was.
    """

    status: str
    claims: int
    held: bool
    expired: bool
    accepted: bool
    rejected: bool
    erased: bool
    removed: bool = False


NO_COMPLAINTS = frozenset({"auth-failure", "not-spam", "virus"})
"""Feedback types (RFC 5965, RFC 6591) of reports that are no complaint of the recipient.

A report of failed authentication or of a virus is about the message, and `not-spam` takes an
earlier complaint back.
"""


class Refusal(StrEnum):
    """Why a route is not redriven."""

    NO_DEAD_LETTER = "no_dead_letter"
    ERASED = "erased"
    REMOVED = "removed"
    IN_DOUBT = "in_doubt"
    EXPIRED = "expired"


def reported(route: Recorded, feedback: Feedback) -> Publish | DeadLetter | None:
    """Return what an event makes of a route, after it was put on record.

    An acceptance settles whichever claim it names, even under a live one. That it was not sent
    counts of the newest claim alone, and not against the acceptance of another message.
    """
    live = route.status in (Status.PENDING, Status.RETRYING)
    if feedback.known is Verdict.ACCEPTED:
        open_ = live or route.status == Status.DEAD_LETTERED
        return Publish(message_id=feedback.message_id) if open_ and not route.rejected else None
    newest = feedback.claim == route.claims and not route.accepted
    if newest and (live or route.status == Status.PUBLISHED):
        return DeadLetter(reason=Reason.PERMANENT, error=feedback.error)
    return None


def suppressed(note: DeliveryEvent) -> str | None:
    """Return why the address of an email is suppressed after this, or None."""
    if note.event == "bounced" and note.bounce_type == "permanent":
        return "bounced"
    if note.event == "complained" and note.reason not in NO_COMPLAINTS:
        return "complained"
    return None


def redriven(route: Recorded) -> Refusal | None:
    """Return why a route is not given a fresh set of attempts, or None."""
    if route.status != Status.DEAD_LETTERED:
        return Refusal.NO_DEAD_LETTER
    if route.erased:
        return Refusal.ERASED
    if route.removed:
        return Refusal.REMOVED
    if route.held:
        return Refusal.IN_DOUBT
    return Refusal.EXPIRED if route.expired else None
