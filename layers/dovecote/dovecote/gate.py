"""The gate before a batch's sends: it closes at the first answer that says to stop. No I/O.

A worker has many sends in flight. Congestion, or the answer that completes an outage, keeps others
from beginning; pauses.py tells the other workers.
"""

import threading
from collections.abc import Collection, Sequence
from typing import TypeGuard
from uuid import UUID

from dovecote.congestion import Congestion
from dovecote.model import (
    Ambiguous,
    Claim,
    Delivered,
    Failed,
    NotBegun,
    Outcome,
    Permanent,
    Standing,
    Throttled,
    Unavailable,
    Unreachable,
)

MOST_UNREACHED = 3
"""Connections that fail in a row, after which the provider counts as down.

It says nothing of the route that it was for: a kind with four attempts survives it with two left.
"""

MOST_UNANSWERED = 5
"""Routes in a row whose answer was lost or a 5xx, after which the provider counts as down.

Routes and not attempts: one that the provider always trips over is no outage.
"""


NOBODY = frozenset[UUID]()


class Gate:
    """What one worker may use in one batch, and what it heard.

    What batches that are under way at the same time hear of as stopped is `heard_beside` by all.
    """

    def __init__(
        self,
        standing: Standing,
        tried: Collection[str] = (),
        heard_beside: set[str] | None = None,
    ) -> None:
        self.standing = standing
        self.tried = frozenset(tried)
        self.stopped: dict[str, Throttled | Unavailable] = {}
        self.answered: set[str] = set()
        self.unreached = 0
        self.unanswered = NOBODY
        self.congestion = Congestion(standing.throttling)
        self.throttled: Throttled | None = None
        self._closed = set(standing.paused | standing.recovering) - self.tried
        self._beside = set() if heard_beside is None else heard_beside
        self._once = set(self.tried)
        self._before = (standing.unreached, standing.unanswered)
        self._lock = threading.Lock()

    @property
    def has_closed(self) -> bool:
        """Tell whether an answer to this batch keeps further sends from beginning."""
        return bool(self.stopped) or self.congestion.detected

    def count(self, accepted: int, throttled: int, *, of_many: bool) -> None:
        """Count a request's answer; close where refusals have become congestion."""
        with self._lock:
            self.congestion.count(accepted, throttled, of_many=of_many)
            if self.congestion.detected:
                self._beside.add(self.standing.channel)

    def keeps(self, resources: Sequence[str]) -> str | None:
        """Return the resource that keeps a send from beginning, or None: it may begin.

        One that is tried after its pause lets one send pass.
        """
        with self._lock:
            for resource in resources:
                if resource in self._closed or resource in self._beside:
                    return resource
            passed = self._once.intersection(resources)
            self._once -= passed
            self._closed |= passed
        return None

    def heard(self, claim: Claim, resources: Sequence[str], outcome: Outcome) -> Outcome:
        """Take note of an outcome; return it, or that of an outage where it is the last straw.

        An outcome of many claims at once, of a call that was theirs together, is heard once.
        """
        with self._lock:
            if not isinstance(outcome, Delivered):
                outcome = self._weighed(claim, outcome)
                if isinstance(outcome, Throttled):
                    self.throttled = self.throttled or outcome
                if self._stops(outcome):
                    self.stopped.setdefault(outcome.resource, outcome)
                    self._beside.add(outcome.resource)
            if isinstance(outcome, Delivered) or _answer(outcome, self.standing.channel):
                self.answered.update(resources)
                self.unreached, self.unanswered, self._before = 0, NOBODY, (0, NOBODY)
        return outcome

    def _stops(self, outcome: Outcome) -> TypeGuard[Throttled | Unavailable]:
        """Tell whether an outcome stops its resource by itself; a single throttle answer does not.

        It does where the resource is probed after a pause.
        """
        if isinstance(outcome, Throttled):
            return outcome.resource != self.standing.channel or outcome.resource in self.tried
        return isinstance(outcome, Unavailable)

    def _weighed(self, claim: Claim, outcome: Outcome) -> Outcome:
        channel = self.standing.channel
        unreached, unanswered = self._before
        if isinstance(outcome, Failed) and outcome.unreached:
            self.unreached += 1
            if channel in self.tried or unreached + self.unreached >= MOST_UNREACHED:
                return Unavailable(resource=channel, error=outcome.error)
        if isinstance(outcome, Ambiguous):
            self.unanswered |= {claim.route_id}
            if channel in self.tried or len(unanswered | self.unanswered) >= MOST_UNANSWERED:
                return Unavailable(resource=channel, error=outcome.error, doubtful=True)
        return outcome


def _answer(outcome: Outcome, channel: str) -> bool:
    """Tell whether the provider answered, whatever it said but of the whole channel."""
    match outcome:
        case Failed(asked=False) | Failed(unreached=True) | Permanent(asked=False):
            return False
        case Ambiguous() | NotBegun() | Unreachable():
            return False
        case Throttled(resource=resource) | Unavailable(resource=resource):
            return resource != channel
    return True
