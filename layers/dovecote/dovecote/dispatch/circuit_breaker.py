"""The gate before a batch's sends: it closes at the first answer that says to stop. No I/O.

A worker has many sends in flight. Congestion, or the answer that completes an outage, keeps others
from beginning; pauses.py tells the other workers.

A refusal through an identity, application or topic is different: its cause may be the resource, or
only the route (a recipient whose identity the policy denies). The answers to the other routes of
the batch decide that, when the batch is over.
"""

import math
import threading
from collections import Counter
from collections.abc import Collection, Sequence
from typing import TypeGuard
from uuid import UUID

from dovecote.core.channel_state import ChannelState
from dovecote.core.claim import Claim
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
from dovecote.core.transitions import throttled_delay
from dovecote.dispatch.congestion import Congestion

MOST_UNREACHED = 3
"""Connections that fail in a row, after which the provider counts as down.

It says nothing of the route that it was for: a kind with four attempts survives it with two left.
"""

MOST_UNANSWERED = 5
"""Routes in a row whose answer was lost or a 5xx, after which the provider counts as down.

Routes and not attempts: one that the provider always trips over is no outage.
"""

MOST_REFUSED = 3
"""Routes in a row that are refused through a resource, after which no send through it begins."""

MOST_REFUSED_WHERE_ACCEPTED = 30
"""The same in a batch that had an acceptance through it."""

PROBES = 4
"""Routes with which one worker probes a narrow resource after its pause, at the same time."""

NOBODY = frozenset[UUID]()


class CircuitBreaker:
    """The resources that one worker may use in one batch, and the answers to that batch.

    What batches that are under way at the same time hear of as stopped is `heard_beside` by all.
    Through the `worked` resources the same run sent a route a few seconds ago.

    Of narrow resources, `refused` has the first refusal, `accepted` counts the acceptances, and
    `undecided` has the refused routes whose cause is unknown, once each refusal was `decided`:
    True for a route that was refused for the first time. Through the `reopened` ones sends were
    kept from beginning, until a route was accepted.
    """

    def __init__(
        self,
        channel_state: ChannelState,
        tried: Collection[str] = (),
        stopped_resources: set[str] | None = None,
        worked: Collection[str] = (),
    ) -> None:
        self.channel_state = channel_state
        self.tried = frozenset(tried)
        self.stopped: dict[str, Throttled | Unavailable] = {}
        self.answered: set[str] = set()
        self.refused: dict[str, Unavailable] = {}
        self.accepted: Counter[str] = Counter()
        self.undecided: dict[str, dict[UUID, bool]] = {}
        self.reopened: set[str] = set()
        self.unreached = 0
        self.unanswered = NOBODY
        self.congestion = Congestion(channel_state.throttling)
        self.throttled: Throttled | None = None
        self.retry_after = 0.0
        self._closed = set(channel_state.paused | channel_state.recovering) - self.tried
        self._beside = set() if stopped_resources is None else stopped_resources
        self._worked = frozenset(worked)
        self._passes = {one: 1 if one == channel_state.channel else PROBES for one in self.tried}
        self._before = (channel_state.unreached, channel_state.unanswered)
        self._in_a_row: dict[str, set[UUID]] = {}
        # Each refusal has a number. One that came before an accepted send began is explained.
        self._number: dict[UUID, int] = {}
        self._explained: dict[str, int] = {}
        self._begun = threading.local()
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
                self._beside.add(self.channel_state.channel)

    def keeps(self, resources: Sequence[str]) -> str | None:
        """Return the resource that keeps a send from beginning, or None: it may begin.

        The thread that asks makes the send. A channel that is tried after its pause lets one send
        pass, a narrow resource `PROBES`.
        """
        with self._lock:
            for resource in resources:
                if resource in self._closed or resource in self._beside:
                    return resource
            if self._passes:
                for resource in self._passes.keys() & resources:
                    self._pass(resource)
            if self._number:
                self._begun.after = len(self._number)
        return None

    def heard(self, claim: Claim, resources: Sequence[str], outcome: Outcome) -> Outcome:
        """Take note of an outcome; return it, or that of an outage where it is the last straw.

        An outcome of many claims at once, of a call that was theirs together, is heard once.
        """
        with self._lock:
            if isinstance(outcome, Delivered):
                if self._passes or self.refused:
                    self._open(resources)
                for resource in resources:
                    self.accepted[resource] += 1
            else:
                outcome = self._weighed(claim, outcome)
                if isinstance(outcome, Throttled):
                    self.throttled = self.throttled or outcome
                    self.retry_after = max(self.retry_after, throttled_delay(claim))
                if self._narrow(outcome):
                    self._refuse(claim, outcome)
                elif self._stops(outcome):
                    self._stop(outcome)
            if isinstance(outcome, Delivered) or _answer(outcome, self.channel_state.channel):
                self.answered.update(resources)
                self.unreached, self.unanswered, self._before = 0, NOBODY, (0, NOBODY)
        return outcome

    def _stops(self, outcome: Outcome) -> TypeGuard[Throttled | Unavailable]:
        """Tell whether an outcome stops its resource by itself; a single throttle answer does not.

        It does where the resource is probed after a pause.
        """
        if isinstance(outcome, Throttled):
            return outcome.resource != self.channel_state.channel or outcome.resource in self.tried
        return isinstance(outcome, Unavailable)

    def decided(self, claim: Claim, outcome: Outcome) -> Outcome:
        """Return what an outcome counts as, once all of the batch are heard.

        A refusal is the route's own failure where a send that began after it was accepted, now or
        after an earlier refusal of the same route. Other acceptances, of the batch or of the run a
        few seconds ago, make it likely: then it counts, unless it would be the last attempt.
        """
        if not self._narrow(outcome):
            return outcome
        resource = outcome.resource
        accepts = self._accepts(resource) and resource not in self.stopped
        likely = accepts and claim.attempts < claim.max_attempts
        explained = self._number.get(claim.route_id, math.inf) <= self._explained.get(resource, 0)
        if claim.own_refusal or explained or likely:
            return Failed(error=outcome.error, refused=True)
        self.undecided.setdefault(resource, {})[claim.route_id] = not claim.refusals
        return outcome

    def works(self, resource: str) -> bool:
        """Tell whether a route was accepted through a narrow resource, and it was not closed."""
        return self.accepted[resource] > 0 and resource not in self.stopped

    def probes(self, resources: Sequence[str]) -> bool:
        """Tell whether a send by these is a probe, of which no other was accepted yet."""
        return any(one in self.tried and not self.accepted[one] for one in resources)

    def _accepts(self, resource: str) -> bool:
        return self.accepted[resource] > 0 or resource in self._worked

    def _narrow(self, outcome: Outcome) -> TypeGuard[Unavailable]:
        return isinstance(outcome, Unavailable) and outcome.resource != self.channel_state.channel

    def _pass(self, resource: str) -> None:
        self._passes[resource] -= 1
        if not self._passes[resource]:
            del self._passes[resource]
            self._closed.add(resource)

    def _stop(self, outcome: Throttled | Unavailable) -> None:
        self.stopped.setdefault(outcome.resource, outcome)
        self._beside.add(outcome.resource)

    def _open(self, resources: Sequence[str]) -> None:
        """Let sends through narrow resources begin again: they accept."""
        for resource in resources:
            if resource == self.channel_state.channel:
                continue
            self._explained[resource] = max(
                self._explained.get(resource, 0), getattr(self._begun, "after", 0)
            )
            self._in_a_row.pop(resource, None)
            if isinstance(self.stopped.get(resource), Unavailable):
                del self.stopped[resource]
                self._beside.discard(resource)
                self.reopened.add(resource)
            if resource in self.tried:
                self._passes.pop(resource, None)
                self._closed.discard(resource)
                self.reopened.add(resource)

    def _refuse(self, claim: Claim, outcome: Unavailable) -> None:
        """Take note of a refusal; close the resource after many in a row."""
        resource = outcome.resource
        self.refused.setdefault(resource, outcome)
        self._number[claim.route_id] = len(self._number) + 1
        accepted = self.accepted[resource]
        if claim.own_refusal or (resource in self.tried and not accepted):
            return
        row = self._in_a_row.setdefault(resource, set())
        row.add(claim.route_id)
        before = NOBODY if accepted else self.channel_state.refused.get(resource, NOBODY)
        most = MOST_REFUSED_WHERE_ACCEPTED if self._accepts(resource) else MOST_REFUSED
        if len(row | before) >= most:
            self._stop(outcome)

    def _weighed(self, claim: Claim, outcome: Outcome) -> Outcome:
        channel = self.channel_state.channel
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
