"""The circuit breaker of a batch: it opens at the first answer that says to stop. No I/O.

A worker has many sends in flight. Congestion, or the answer that completes an outage, keeps further
sends from beginning; pauses.py informs the other workers.

A refusal through an identity, application or topic is different: its cause may be the resource, or
only the route (a recipient whose identity the policy denies). The answers to the other routes of
the batch decide which, when the batch is over.
"""

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
from dovecote.dispatch.sending.congestion import Congestion
from dovecote.dispatch.sending.refusals import Refusals

MOST_UNREACHED = 3
"""Connections that fail in a row, after which the provider counts as down.

A failed connection says nothing about its route: a kind with four attempts has two left.
"""

MOST_UNANSWERED = 5
"""Routes in a row whose answer was lost or a 5xx, after which the provider counts as down.

Routes and not attempts: one route that always fails is no outage.
"""

MOST_REFUSED = 3
"""Routes in a row that are refused through a resource, after which no send through it begins."""

MOST_REFUSED_WHERE_ACCEPTED = 30
"""The same in a batch that had an acceptance through it."""

PROBES = 4
"""Routes with which one worker probes a narrow resource after its pause, at the same time."""

NO_ROUTES = frozenset[UUID]()


class CircuitBreaker:
    """The resources that one worker may use in one batch, and the answers to that batch.

    Concurrent batches of the worker share the set of `stopped_elsewhere` resources; operations of a
    set are atomic. Through the `recently_accepted` ones the same run sent a route a few seconds
    ago. The worker has the right to probe those in `probing`.

    Of narrow resources, `refused` has the first refusal, `accepted` counts the acceptances, and
    `undecided` has the refused routes whose cause is unknown, once `decide` saw each refusal: True
    for a route that was refused for the first time. Sends through the `reopened` ones waited until
    a route was accepted.
    """

    def __init__(
        self,
        channel_state: ChannelState,
        probing: Collection[str] = (),
        stopped_elsewhere: set[str] | None = None,
        recently_accepted: Collection[str] = (),
    ) -> None:
        self.channel_state = channel_state
        self.probing = frozenset(probing)
        self.stopped: dict[str, Throttled | Unavailable] = {}
        self.answered: set[str] = set()
        self.refused: dict[str, Unavailable] = {}
        self.accepted: Counter[str] = Counter()
        self.undecided: dict[str, dict[UUID, bool]] = {}
        self.reopened: set[str] = set()
        self.unreached, self.unanswered = 0, NO_ROUTES
        self.congestion = Congestion(channel_state.throttling)
        self.throttled: Throttled | None = None
        self.retry_after = 0.0
        self._blocked = set(channel_state.paused | channel_state.recovering) - self.probing
        self._elsewhere: set[str] = set() if stopped_elsewhere is None else stopped_elsewhere
        self._recently_accepted = frozenset(recently_accepted)
        self._passes = {one: 1 if one == channel_state.channel else PROBES for one in self.probing}
        self._before = (channel_state.unreached, channel_state.unanswered)
        self._refusals = Refusals()
        self._lock = threading.Lock()

    @property
    def has_opened(self) -> bool:
        """Return whether an answer to this batch keeps further sends from beginning."""
        return bool(self.stopped) or self.congestion.detected

    @property
    def refuses_all(self) -> bool:
        """Return whether the provider accepts nothing at all, and did not a few seconds ago.

        At a rate that is too high, one of several batches may have nothing but refusals.
        """
        return self.congestion.refuses_all and not self._has_accepted(self.channel_state.channel)

    def count(self, accepted: int, throttled: int, *, of_many: bool) -> None:
        """Count a request's answer; stop the channel where refusals have become congestion."""
        with self._lock:
            self.congestion.count(accepted, throttled, of_many=of_many)
            if self.congestion.detected:
                self._elsewhere.add(self.channel_state.channel)

    def blocked_by(self, resources: Sequence[str]) -> str | None:
        """Return the resource that keeps a send from beginning, or None: it may begin.

        The thread that calls this makes the send. A channel that is probed after its pause lets one
        send pass, a narrow resource `PROBES`.
        """
        with self._lock:
            for resource in resources:
                if resource in self._blocked or resource in self._elsewhere:
                    return resource
            if self._passes:
                for resource in self._passes.keys() & resources:
                    self._pass(resource)
            self._refusals.send_begins()
        return None

    def record(self, claim: Claim, resources: Sequence[str], outcome: Outcome) -> Outcome:
        """Record an outcome; return it, or that of an outage where it completes one.

        Record an outcome that many claims of a request share once, for any of them.
        """
        with self._lock:
            if isinstance(outcome, Delivered):
                if self._passes or self.refused:
                    self._reopen(resources)
                for resource in resources:
                    self.accepted[resource] += 1
            else:
                outcome = self._with_outage(claim, outcome)
                if isinstance(outcome, Throttled):
                    self.throttled = self.throttled or outcome
                    self.retry_after = max(self.retry_after, throttled_delay(claim))
                if self._narrow(outcome):
                    self._refuse(claim, outcome)
                elif self._stops(outcome):
                    self._stop(outcome)
            if isinstance(outcome, Delivered) or _answer(outcome, self.channel_state.channel):
                self.answered.update(resources)
                self.unreached, self.unanswered, self._before = 0, NO_ROUTES, (0, NO_ROUTES)
        return outcome

    def _stops(self, outcome: Outcome) -> TypeGuard[Throttled | Unavailable]:
        """Return whether an outcome stops its resource by itself.

        A single throttle answer does so only where the resource is probed after a pause.
        """
        if isinstance(outcome, Throttled):
            return (
                outcome.resource != self.channel_state.channel or outcome.resource in self.probing
            )
        return isinstance(outcome, Unavailable)

    def decide(self, claim: Claim, outcome: Outcome) -> Outcome:
        """Return the outcome that a claim's outcome counts as, once the batch is over.

        A refusal is the route's own failure where a send that began after it was accepted, now or
        after an earlier refusal of the same route. Other acceptances, of the batch or of the run a
        few seconds ago, make it likely: then it counts, unless it would be the last attempt.
        """
        if not self._narrow(outcome):
            return outcome
        resource = outcome.resource
        accepts = self._has_accepted(resource) and resource not in self.stopped
        likely = accepts and claim.attempts < claim.max_attempts
        explained = self._refusals.is_explained(claim.route_id, resource)
        if claim.own_refusal or explained or likely:
            return Failed(error=outcome.error, refused=True)
        self.undecided.setdefault(resource, {})[claim.route_id] = not claim.refusals
        return outcome

    def accepts(self, resource: str) -> bool:
        """Return whether a narrow resource accepted a route and is not stopped."""
        return self.accepted[resource] > 0 and resource not in self.stopped

    def is_probe(self, resources: Sequence[str]) -> bool:
        """Return whether a send through these is a probe, and no other probe was accepted yet."""
        return any(one in self.probing and not self.accepted[one] for one in resources)

    def _has_accepted(self, resource: str) -> bool:
        return self.accepted[resource] > 0 or resource in self._recently_accepted

    def _narrow(self, outcome: Outcome) -> TypeGuard[Unavailable]:
        return isinstance(outcome, Unavailable) and outcome.resource != self.channel_state.channel

    def _pass(self, resource: str) -> None:
        self._passes[resource] -= 1
        if not self._passes[resource]:
            del self._passes[resource]
            self._blocked.add(resource)

    def _stop(self, outcome: Throttled | Unavailable) -> None:
        self.stopped.setdefault(outcome.resource, outcome)
        self._elsewhere.add(outcome.resource)

    def _reopen(self, resources: Sequence[str]) -> None:
        """Let sends through narrow resources begin again, since one was accepted."""
        for resource in resources:
            if resource == self.channel_state.channel:
                continue
            self._refusals.accept(resource)
            if isinstance(self.stopped.get(resource), Unavailable):
                del self.stopped[resource]
                self._elsewhere.discard(resource)
                self.reopened.add(resource)
            if resource in self.probing:
                self._passes.pop(resource, None)
                self._blocked.discard(resource)
                self.reopened.add(resource)

    def _refuse(self, claim: Claim, outcome: Unavailable) -> None:
        """Record a refusal; stop the resource after many in a row."""
        resource = outcome.resource
        self.refused.setdefault(resource, outcome)
        self._refusals.add(claim.route_id)
        accepted = self.accepted[resource]
        if claim.own_refusal or (resource in self.probing and not accepted):
            return
        row = self._refusals.in_a_row(resource, claim.route_id)
        before = NO_ROUTES if accepted else self.channel_state.refused.get(resource, NO_ROUTES)
        most = MOST_REFUSED_WHERE_ACCEPTED if self._has_accepted(resource) else MOST_REFUSED
        if len(row | before) >= most:
            self._stop(outcome)

    def _with_outage(self, claim: Claim, outcome: Outcome) -> Outcome:
        channel = self.channel_state.channel
        unreached, unanswered = self._before
        if isinstance(outcome, Failed) and outcome.unreached:
            self.unreached += 1
            if channel in self.probing or unreached + self.unreached >= MOST_UNREACHED:
                return Unavailable(resource=channel, error=outcome.error)
        if isinstance(outcome, Ambiguous):
            self.unanswered |= {claim.route_id}
            if channel in self.probing or len(unanswered | self.unanswered) >= MOST_UNANSWERED:
                return Unavailable(resource=channel, error=outcome.error, doubtful=True)
        return outcome


def _answer(outcome: Outcome, channel: str) -> bool:
    """Return whether the provider answered; a refusal for the whole channel is no answer."""
    match outcome:
        case Failed(asked=False) | Failed(unreached=True) | Permanent(asked=False):
            return False
        case Ambiguous() | NotBegun() | Unreachable():
            return False
        case Throttled(resource=resource) | Unavailable(resource=resource):
            return resource != channel
    return True
