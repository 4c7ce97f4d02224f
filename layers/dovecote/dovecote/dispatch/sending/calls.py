"""Divide a batch into calls, and the messages of a call into requests.

Pure. A call of several claims takes the slot of each, and begins in that of its last one: so no
claim is sent before its slot, and the sends of all workers keep to the rate.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TypeVar

import msgspec

from dovecote.channels.base import Prepared
from dovecote.core.channel_state import SendSlots
from dovecote.core.claim import Claim

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
