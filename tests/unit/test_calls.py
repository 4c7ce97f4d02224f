"""How a batch is divided into calls: who goes with whom, and in which slot."""

import uuid
from collections.abc import Hashable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovecote.core.channel_state import SendSlots
from dovecote.core.claim import Claim
from dovecote.dispatch.sending.calls import SPAN_SECONDS, Call, divided
from tests.unit.examples import a_claim


def claims_of(kinds: str) -> list[Claim]:
    """Return a claim for each letter, whose kind the letter is."""
    return [a_claim(route_id=uuid.uuid4(), kind=kind) for kind in kinds]


def batch_key(claim: Claim) -> Hashable | None:
    """Keep each kind to itself, and each `-` alone."""
    return None if claim.kind == "-" else claim.kind


def shown(calls: Sequence[Call]) -> list[tuple[str, int]]:
    return [("".join(claim.kind for claim in call.claims), call.slot) for call in calls]


@pytest.mark.parametrize(
    ("kinds", "size", "slots", "expected"),
    [
        ("", 50, SendSlots(room=9), []),
        ("a", 50, SendSlots(room=9), [("a", 0)]),
        # up to the size
        ("aaaaa", 2, SendSlots(room=9), [("aa", 1), ("aa", 3), ("a", 4)]),
        # a size of one is a call for each
        ("aab", 1, SendSlots(room=9), [("a", 0), ("a", 1), ("b", 2)]),
        # only what has something in common, in the order of the last slots
        ("abab", 50, SendSlots(room=9), [("aa", 2), ("bb", 3)]),
        ("abba", 50, SendSlots(room=9), [("bb", 2), ("aa", 3)]),
        # what goes alone divides no other
        ("a-a-", 50, SendSlots(room=9), [("-", 1), ("aa", 2), ("-", 3)]),
        # there is no room for the last ones
        ("aaaa", 50, SendSlots(room=2), [("aa", 1), ("a", 2), ("a", 3)]),
        # a quarter of a second: 14 a second, and 200 a second
        ("a" * 10, 50, SendSlots(room=99, spacing=1 / 14), [("aaaa", 3), ("aaaa", 7), ("aa", 9)]),
        ("a" * 60, 50, SendSlots(room=99, spacing=1 / 200), [("a" * 50, 49), ("a" * 10, 59)]),
        # a slow rate gathers nothing
        ("aaa", 50, SendSlots(room=9, spacing=1.0), [("a", 0), ("a", 1), ("a", 2)]),
        # two that take turns wait no longer for it
        ("abab" * 3, 50, SendSlots(room=99, spacing=0.125),
         [("aa", 2), ("bb", 3), ("aa", 6), ("bb", 7), ("aa", 10), ("bb", 11)]),
    ],
)  # fmt: skip
def test_a_batch_is_divided_into_calls(
    kinds: str, size: int, slots: SendSlots, expected: list[tuple[str, int]]
) -> None:
    assert shown(divided(claims_of(kinds), batch_key, slots, size)) == expected


@given(
    kinds=st.text("ab-", max_size=60),
    size=st.integers(1, 50),
    room=st.integers(0, 60),
    spacing=st.floats(0, 2),
)
def test_each_claim_goes_once_and_not_before_its_slot(
    kinds: str, size: int, room: int, spacing: float
) -> None:
    claims = claims_of(kinds)
    place = {claim.route_id: n for n, claim in enumerate(claims)}
    calls = divided(claims, batch_key, SendSlots(room=room, spacing=spacing), size)
    gone = [claim for call in calls for claim in call.claims]
    assert sorted(gone, key=lambda claim: place[claim.route_id]) == claims
    assert [call.slot for call in calls] == sorted(call.slot for call in calls)
    for call in calls:
        places = [place[claim.route_id] for claim in call.claims]
        assert places == sorted(places)
        assert call.slot == places[-1]
        assert len(places) <= size
        assert (places[-1] - places[0]) * spacing <= SPAN_SECONDS
        assert len({claim.kind for claim in call.claims}) == 1
        assert len(places) == 1 or places[-1] < room
