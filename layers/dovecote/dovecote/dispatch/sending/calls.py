"""Divide a batch into calls, and make them: each in its slot, request by request.

A call of several claims takes the slot of each, and begins in that of its last one: so no claim is
sent before its slot, and the sends of all workers keep to the rate. The circuit breaker may keep
each request from beginning.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import TypeVar

import msgspec

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
from dovecote.dispatch.sending.circuit_breaker import CircuitBreaker
from dovecote.dispatch.sending.failures import attempt, without_words
from dovecote.dispatch.sending.outcomes import Outcomes

SPAN_SECONDS = 0.25
"""How long a call gathers slots: a quarter of a second's worth of the rate is sent at once.

SES counts by the second. At 14 a second a call has 4 entries, from 196 a second on it has 50.
"""

BatchKey = Callable[[Claim], Hashable | None]
"""Returns a key that claims of one call share; None for a call of its own."""

M = TypeVar("M", bound=Prepared)


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """Claims that are sent together, and the place in the batch of the slot they are sent in."""

    claims: Sequence[Claim]
    slot: int


def single_calls(claims: Sequence[Claim]) -> list[Call]:
    """Return a call for each claim, in its own slot."""
    return [Call(claims=[claim], slot=place) for place, claim in enumerate(claims)]


def divided(
    claims: Sequence[Claim], batch_key: BatchKey, slots: SendSlots, size: int
) -> list[Call]:
    """Return the calls of a batch, of at most `size` claims, in the order in which they begin.

    Claims beyond the slots' room have calls of their own, which do not begin.
    """
    calls: list[list[tuple[int, Claim]]] = []
    open_calls: dict[Hashable, list[tuple[int, Claim]]] = {}
    for place, claim in enumerate(claims):
        key = batch_key(claim) if place < slots.room else None
        call = open_calls.get(key) if key is not None else None
        if call is None or len(call) >= size or _apart(call[0][0], place, slots):
            call = []
            calls.append(call)
            if key is not None:
                open_calls[key] = call
        call.append((place, claim))
    made = [Call(claims=[claim for _, claim in call], slot=call[-1][0]) for call in calls]
    return sorted(made, key=lambda call: call.slot)


def requests(messages: Sequence[M], max_size: int) -> Iterator[list[M]]:
    """Yield the messages of each request: their sizes add up to at most `max_size`.

    A message without a size has a request of its own.
    """
    request: list[M] = []
    room = max_size
    for message in messages:
        if message.size is None:
            yield [message]
            continue
        if request and message.size > room:
            yield request
            request, room = [], max_size
        request.append(message)
        room -= message.size
    if request:
        yield request


def _apart(first: int, place: int, slots: SendSlots) -> bool:
    return (place - first) * slots.spacing > SPAN_SECONDS


class Requests(msgspec.Struct, kw_only=True):
    """The requests of one batch. Threads share it; each makes one call at a time.

    The first slot begins at `first_slot` on the clock. No request begins at or after
    `begin_before`.
    """

    channel: AnyChannel
    slots: SendSlots
    first_slot: float
    begin_before: float
    breaker: CircuitBreaker
    outcomes: Outcomes
    clock: Clock
    sleep: Sleep

    def may_begin(self, call: Call, resources: Sequence[str]) -> bool:
        """Wait for the slot of a call; return whether it may begin, else put why not."""
        if call.slot >= self.slots.room:
            not_begun: NotBegun | None = NotBegun()
        else:
            self._wait(self.first_slot + call.slot * self.slots.spacing)
            not_begun = self._not_begun(resources)
        if not_begun is not None:
            self.outcomes.put(call.claims, not_begun)
        return not_begun is None

    def send(self, claims: Sequence[Claim], resources: Sequence[str]) -> None:
        """Send the claims of a call whose first request may begin."""
        messages = self._prepared(claims, resources)
        if len(messages) == 1:
            self._request(messages, resources)
        elif messages:
            self._send_several(deque(requests(messages, self.channel.max_size)), resources)

    def _send_several(self, waiting: deque[list[Prepared]], resources: Sequence[str]) -> None:
        """Send requests one after another, each further one as the breaker and the time allow."""
        not_begun: NotBegun | None = None
        while waiting:
            messages = waiting.popleft()
            if not_begun is not None:
                self.outcomes.put([message.claim for message in messages], not_begun)
            elif not self._request(messages, resources):
                waiting.extendleft([message] for message in reversed(messages))
            if waiting:
                not_begun = self._not_begun(resources)

    def _wait(self, slot: float) -> None:
        seconds = min(slot, self.begin_before) - self.clock()
        if seconds > 0:
            self.sleep(seconds)

    def _not_begun(self, resources: Sequence[str]) -> NotBegun | None:
        """Return why one more request may not begin, or None."""
        if self.clock() >= self.begin_before:
            return NotBegun()
        resource = self.breaker.blocked_by(resources)
        return None if resource is None else NotBegun(behind=resource)

    def _prepared(self, claims: Sequence[Claim], resources: Sequence[str]) -> list[Prepared]:
        """Render the messages of claims; put the outcome of each claim that needs no send."""
        messages = []
        for claim in claims:
            prepared = attempt(self.channel.prepare, claim)
            if isinstance(prepared, Prepared):
                messages.append(prepared)
            else:
                self.outcomes.put([claim], self.breaker.record(claim, resources, prepared))
        return messages

    def _request(self, messages: Sequence[Prepared], resources: Sequence[str]) -> bool:
        """Send one request; return False where its messages are to be sent singly.

        The breaker counts an outcome of several claims once, such as that of a lost reply.
        """
        answered: list[Claim] = []
        accepted = throttled = 0
        try:
            for claims, outcome in self.channel.send(messages):
                if len(claims) == len(messages) > 1 and may_differ_singly(outcome):
                    return False
                if isinstance(outcome, Delivered):
                    accepted += len(claims)
                elif isinstance(outcome, Throttled):
                    throttled += len(claims)
                self.outcomes.put(claims, self.breaker.record(claims[0], resources, outcome))
                answered += claims
        except Exception as error:  # noqa: BLE001 - one bad route never hurts its batch
            # The request may have been sent. The error says nothing about the provider.
            lost = Ambiguous(error=without_words(error))
            self.outcomes.put(_without(messages, answered), lost)
        self.breaker.count(accepted, throttled, of_many=len(messages) > 1)
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
