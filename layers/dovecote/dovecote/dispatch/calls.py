"""Divide a batch into calls of the provider: what may go together does, in the order of its slots.

Pure. A call of several claims takes the slot of each, and begins in that of its last one: so no
claim goes out before its slot, and the sends of all workers keep to the rate.
"""

from collections.abc import Callable, Hashable, Sequence

import msgspec

from dovecote.core.channel_state import SendSlots
from dovecote.core.claim import Claim

SPAN_SECONDS = 0.25
"""How long a call gathers slots: a quarter of a second's worth of the rate goes out at once.

SES counts by the second. At 14 a second a call has 4 entries, from 196 a second on it has 50.
"""

Together = Callable[[Claim], Hashable | None]
"""Says what a claim has in common with those that it may go with; None where it goes alone."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """Claims that go out together, and the place in the batch of the slot that they go out in."""

    claims: Sequence[Claim]
    slot: int


def divided(claims: Sequence[Claim], together: Together, slots: SendSlots, size: int) -> list[Call]:
    """Return the calls of a batch, of at most `size` claims, in the order in which they begin.

    Claims beyond the slots' room keep to themselves: they are not begun.
    """
    calls: list[list[tuple[int, Claim]]] = []
    open_calls: dict[Hashable, list[tuple[int, Claim]]] = {}
    for place, claim in enumerate(claims):
        common = together(claim) if place < slots.room else None
        call = open_calls.get(common) if common is not None else None
        if call is None or len(call) >= size or _apart(call[0][0], place, slots):
            call = []
            calls.append(call)
            if common is not None:
                open_calls[common] = call
        call.append((place, claim))
    made = [Call(claims=[claim for _, claim in call], slot=call[-1][0]) for call in calls]
    return sorted(made, key=lambda call: call.slot)


def _apart(first: int, place: int, slots: SendSlots) -> bool:
    return (place - first) * slots.spacing > SPAN_SECONDS
