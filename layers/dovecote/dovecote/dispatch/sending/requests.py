"""Make the calls of one batch: each in its slot, request by request, as the breaker allows."""

from collections import deque
from collections.abc import Iterable, Sequence

from dovecote.channels.base import AnyChannel, Prepared
from dovecote.core.channel_state import SendSlots
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
)
from dovecote.core.ports import Clock, Sleep
from dovecote.dispatch.sending.attempts import attempt
from dovecote.dispatch.sending.calls import Call, requests
from dovecote.dispatch.sending.circuit_breaker import CircuitBreaker
from dovecote.dispatch.sending.outcomes import Outcomes
from dovecote.dispatch.sending.redaction import without_words


class Requests:
    """The requests of one batch. Threads share it; each makes one call at a time.

    The first slot begins when this is made, plus the slots' wait. No request begins at or after
    `begin_before` on the clock.
    """

    def __init__(
        self,
        *,
        channel: AnyChannel,
        slots: SendSlots,
        begin_before: float,
        breaker: CircuitBreaker,
        outcomes: Outcomes,
        clock: Clock,
        sleep: Sleep,
    ) -> None:
        self._channel = channel
        self._slots = slots
        self._first_slot = clock() + slots.wait
        self._begin_before = begin_before
        self._breaker = breaker
        self._outcomes = outcomes
        self._clock = clock
        self._sleep = sleep

    def may_begin(self, call: Call, resources: Sequence[str]) -> bool:
        """Wait for the slot of a call; return whether it may begin, else put why not."""
        if call.slot >= self._slots.room:
            not_begun: NotBegun | None = NotBegun()
        else:
            self._wait(self._first_slot + call.slot * self._slots.spacing)
            not_begun = self._not_begun(resources)
        if not_begun is not None:
            self._outcomes.put(call.claims, not_begun)
        return not_begun is None

    def send(self, claims: Sequence[Claim], resources: Sequence[str]) -> None:
        """Send the claims of a call whose first request may begin."""
        messages = self._prepared(claims, resources)
        if len(messages) == 1:
            self._request(messages, resources)
        elif messages:
            self._send_several(deque(requests(messages, self._channel.max_size)), resources)

    def _send_several(self, waiting: deque[list[Prepared]], resources: Sequence[str]) -> None:
        """Send requests one after another, each further one as the breaker and the time allow."""
        not_begun: NotBegun | None = None
        while waiting:
            messages = waiting.popleft()
            if not_begun is not None:
                self._outcomes.put([message.claim for message in messages], not_begun)
            elif not self._request(messages, resources):
                waiting.extendleft([message] for message in reversed(messages))
            if waiting:
                not_begun = self._not_begun(resources)

    def _wait(self, slot: float) -> None:
        seconds = min(slot, self._begin_before) - self._clock()
        if seconds > 0:
            self._sleep(seconds)

    def _not_begun(self, resources: Sequence[str]) -> NotBegun | None:
        """Return why one more request may not begin, or None."""
        if self._clock() >= self._begin_before:
            return NotBegun()
        resource = self._breaker.blocked_by(resources)
        return None if resource is None else NotBegun(behind=resource)

    def _prepared(self, claims: Sequence[Claim], resources: Sequence[str]) -> list[Prepared]:
        """Render the messages of claims; put the outcome of each claim that needs no send."""
        messages = []
        for claim in claims:
            prepared = attempt(self._channel.prepare, claim)
            if isinstance(prepared, Prepared):
                messages.append(prepared)
            else:
                self._outcomes.put([claim], self._breaker.record(claim, resources, prepared))
        return messages

    def _request(self, messages: Sequence[Prepared], resources: Sequence[str]) -> bool:
        """Send one request; return False where its messages are to be sent singly.

        The breaker counts an outcome of several claims once, such as that of a lost reply.
        """
        answered: list[Claim] = []
        accepted = throttled = 0
        try:
            for claims, outcome in self._channel.send(messages):
                if len(claims) == len(messages) > 1 and may_differ_singly(outcome):
                    return False
                if isinstance(outcome, Delivered):
                    accepted += len(claims)
                elif isinstance(outcome, Throttled):
                    throttled += len(claims)
                self._outcomes.put(claims, self._breaker.record(claims[0], resources, outcome))
                answered += claims
        except Exception as error:  # noqa: BLE001 - one bad route never hurts its batch
            # The request may have been sent. The error says nothing about the provider.
            lost = Ambiguous(error=without_words(error))
            self._outcomes.put(_without(messages, answered), lost)
        self._breaker.count(accepted, throttled, of_many=len(messages) > 1)
        return True


def may_differ_singly(outcome: Outcome) -> bool:
    """Return whether a refused bulk request may be accepted in part when it is sent singly.

    The provider refused its content, or an identity, application or topic: the cause may be one
    message or one recipient.
    """
    match outcome:
        case Failed(asked=asked, unreached=unreached):
            return asked and not unreached
        case Unavailable(resource=resource):
            return "/" in resource
    return isinstance(outcome, Permanent)


def _without(messages: Iterable[Prepared], answered: Iterable[Claim]) -> list[Claim]:
    """Return the claims of messages that have no outcome."""
    ids = {claim.route_id for claim in answered}
    return [one.claim for one in messages if one.claim.route_id not in ids]
