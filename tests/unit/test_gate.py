"""The gate: what a worker may still begin after what it heard, and what counts as an outage."""

import uuid
from collections.abc import Sequence
from typing import Any

import pytest

from dovecote.gate import (
    MOST_REFUSED,
    MOST_REFUSED_WHERE_ACCEPTED,
    MOST_UNANSWERED,
    MOST_UNREACHED,
    PROBES,
    Gate,
)
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
from tests.unit.examples import a_claim

SHOP = ("email", "email/shop.example")
NEWS = ("email", "email/news.example")

UNREACHED = Failed(error="no route", unreached=True)
UNRENDERED = Failed(error="no name", asked=False)
LOST = Ambiguous(error="closed")
DOWN = Unavailable(resource="email", error="no route")
PROBABLY_DOWN = Unavailable(resource="email", error="closed", doubtful=True)

DENIED = Unavailable(resource="email/shop.example", error="AccessDenied")
OWN = Failed(error="AccessDenied", refused=True)

ANSWERS = [
    Delivered(message_id="m-1"),
    Permanent(error="MessageRejected"),
    Failed(error="Unknown (400)"),
    # refused for one identity alone
    Unavailable(resource="email/shop.example", error="AccessDenied"),
]
"""Whatever it said, the provider was there."""

SILENCE = [NotBegun(), Unreachable(reason="gone"), UNRENDERED]
"""What ended without the provider being asked."""


def a_gate(*tried: str, **standing: Any) -> Gate:
    return Gate(Standing(channel="email", **standing), tried)


def heard(gate: Gate, *outcomes: Outcome, resources: Sequence[str] = SHOP) -> list[Outcome]:
    """Tell a gate of an outcome for a route each."""
    return [gate.heard(a_route(), resources, outcome) for outcome in outcomes]


def a_route() -> Claim:
    return a_claim(route_id=uuid.uuid4())


def test_what_one_batch_hears_of_as_stopped_keeps_those_beside_it() -> None:
    beside: set[str] = set()
    first, second = (Gate(Standing(channel="email"), (), beside) for _ in range(2))
    assert second.keeps(SHOP) is None
    heard(first, Throttled(resource="email/shop.example", error="too fast"))
    assert second.keeps(SHOP) == "email/shop.example"
    assert second.keeps(NEWS) is None
    assert not second.stopped  # it has nothing to tell of it


def named(kind: object) -> str:
    return type(kind).__name__


# What may begin.


def test_a_gate_lets_all_pass_where_nothing_is_known() -> None:
    gate = a_gate()
    assert [gate.keeps(SHOP) for _ in range(100)] == [None] * 100


@pytest.mark.parametrize(
    ("outcome", "resource", "shop", "news"),
    [
        # the account: nothing goes out any more
        (Unavailable, "email", "email", "email"),
        # one identity: the other goes on
        (Throttled, "email/shop.example", "email/shop.example", None),
    ],
)
def test_the_first_answer_that_says_to_stop_closes_it_for_what_it_names(
    outcome: type[Throttled | Unavailable], resource: str, shop: str | None, news: str | None
) -> None:
    gate = a_gate()
    first, second = (outcome(resource=resource, error=error) for error in ("first", "second"))
    assert heard(gate, first, second) == [first, second]
    assert (gate.keeps(SHOP), gate.keeps(NEWS)) == (shop, news)
    assert gate.stopped == {resource: first}


FAST = Throttled(resource="email", error="fast")


def test_one_throttle_answer_closes_nothing_and_congestion_closes_the_channel() -> None:
    beside: set[str] = set()
    gate, other = (Gate(Standing(channel="email"), (), beside) for _ in range(2))
    for _ in range(3):
        assert (gate.keeps(SHOP), gate.has_closed) == (None, False)
        assert heard(gate, FAST) == [FAST]
        gate.count(0, 1, of_many=False)
    assert (gate.keeps(SHOP), other.keeps(NEWS), gate.has_closed) == ("email", "email", True)
    assert (gate.throttled, gate.stopped) == (FAST, {})


def test_a_throttled_probe_stops_the_channel() -> None:
    gate = a_gate("email", recovering=frozenset({"email"}))
    heard(gate, FAST)
    assert gate.stopped == {"email": FAST}


def test_nothing_else_closes_it() -> None:
    gate = a_gate()
    for outcome in (*ANSWERS[:3], UNREACHED, LOST, FAST, *SILENCE):
        assert heard(gate, outcome) == [outcome]
        assert gate.keeps(SHOP) is None
    assert gate.stopped == {}


def test_what_is_paused_or_recovering_is_closed_from_the_start() -> None:
    gate = a_gate(paused=frozenset({"email/shop.example"}), recovering=frozenset({NEWS[1]}))
    assert gate.keeps(SHOP) == "email/shop.example"
    assert gate.keeps(NEWS) == "email/news.example"
    assert gate.keeps(("email", "email/else.example")) is None


def test_a_channel_that_is_tried_lets_one_pass() -> None:
    gate = a_gate("email", recovering=frozenset({"email"}))
    assert [gate.keeps(SHOP), gate.keeps(SHOP), gate.keeps(NEWS)] == [None, "email", "email"]


def test_an_identity_that_is_probed_lets_a_few_of_its_own_pass() -> None:
    gate = a_gate("email/shop.example", recovering=frozenset({"email/shop.example"}))
    assert gate.keeps(NEWS) is None
    assert [gate.keeps(SHOP) for _ in range(PROBES + 2)] == [None] * PROBES + [SHOP[1]] * 2
    assert gate.keeps(NEWS) is None


def test_an_identity_that_is_probed_is_open_after_the_first_acceptance() -> None:
    gate = a_gate("email/shop.example", recovering=frozenset({"email/shop.example"}))
    assert [gate.keeps(SHOP) for _ in range(PROBES + 1)][-1] == SHOP[1]
    heard(gate, DENIED, Delivered(message_id="m-1"))
    assert gate.keeps(SHOP) is None
    assert gate.reopened == {SHOP[1]}
    assert not gate.probes(SHOP)


def test_what_is_kept_by_another_resource_does_not_use_up_the_trial() -> None:
    gate = a_gate("email/shop.example", recovering=frozenset({"email/shop.example", NEWS[1]}))
    assert gate.keeps((*SHOP, NEWS[1])) == "email/news.example"
    assert gate.keeps(SHOP) is None


# What counts as an outage.


def test_three_connections_that_fail_in_a_row_are_an_outage() -> None:
    gate = a_gate()
    assert heard(gate, *[UNREACHED] * MOST_UNREACHED) == [UNREACHED, UNREACHED, DOWN]
    assert gate.keeps(SHOP) == "email"
    assert gate.stopped == {"email": DOWN}


def test_connections_that_fail_for_one_route_are_an_outage_too() -> None:
    gate, claim = a_gate(), a_route()
    assert [gate.heard(claim, SHOP, UNREACHED) for _ in range(3)] == [UNREACHED, UNREACHED, DOWN]


def test_five_routes_in_a_row_without_an_answer_are_probably_an_outage() -> None:
    gate = a_gate()
    assert heard(gate, *[LOST] * MOST_UNANSWERED) == [LOST] * 4 + [PROBABLY_DOWN]
    assert gate.keeps(SHOP) == "email"
    assert gate.stopped == {"email": PROBABLY_DOWN}


def test_one_route_without_an_answer_is_no_outage_however_often_it_fails() -> None:
    gate, claim = a_gate(), a_route()
    assert [gate.heard(claim, SHOP, LOST) for _ in range(5)] == [LOST] * 5
    assert gate.keeps(SHOP) is None
    assert gate.unanswered == {claim.route_id}


@pytest.mark.parametrize("answer", ANSWERS, ids=named)
@pytest.mark.parametrize("failure", [UNREACHED, LOST], ids=named)
def test_an_answer_in_between_starts_the_count_anew(answer: Outcome, failure: Outcome) -> None:
    gate = a_gate()
    most = MOST_UNREACHED if failure is UNREACHED else MOST_UNANSWERED
    before = [failure] * (most - 1)
    assert heard(gate, *before, answer, *before) == [*before, answer, *before]
    (last,) = heard(gate, failure)
    assert isinstance(last, Unavailable)


@pytest.mark.parametrize("silence", SILENCE, ids=named)
@pytest.mark.parametrize("failure", [UNREACHED, LOST], ids=named)
def test_what_was_not_asked_neither_counts_nor_starts_anew(
    silence: Outcome, failure: Outcome
) -> None:
    gate = a_gate()
    most = MOST_UNREACHED if failure is UNREACHED else MOST_UNANSWERED
    heard(gate, *[silence] * 10, *[failure] * (most - 1), *[silence] * 10)
    assert gate.stopped == {}
    assert gate.answered == set()
    (last,) = heard(gate, failure)
    assert isinstance(last, Unavailable)


def test_both_counts_are_kept_apart() -> None:
    gate = a_gate()
    assert heard(gate, LOST, UNREACHED, LOST, LOST, UNREACHED, LOST) == [
        LOST, UNREACHED, LOST, LOST, UNREACHED, LOST,
    ]  # fmt: skip
    assert (gate.unreached, len(gate.unanswered)) == (2, 4)


def test_what_failed_before_this_batch_counts() -> None:
    assert heard(a_gate(unreached=2), UNREACHED) == [DOWN]
    before = frozenset(uuid.uuid4() for _ in range(4))
    assert heard(a_gate(unanswered=before), LOST) == [PROBABLY_DOWN]


def test_a_route_that_was_counted_before_this_batch_is_not_counted_twice() -> None:
    claim = a_route()
    before = frozenset({claim.route_id, *(uuid.uuid4() for _ in range(3))})
    assert a_gate(unanswered=before).heard(claim, SHOP, LOST) == LOST


def test_an_answer_forgets_what_failed_before_this_batch() -> None:
    gate = a_gate(unreached=2, unanswered=frozenset(uuid.uuid4() for _ in range(4)))
    answer = Delivered(message_id="m-1")
    assert heard(gate, answer, UNREACHED, LOST) == [answer, UNREACHED, LOST]


def test_what_a_batch_counts_is_its_own_and_leaves_out_what_was_before() -> None:
    before = frozenset({uuid.uuid4()})
    gate = a_gate(unreached=1, unanswered=before)
    heard(gate, UNREACHED, LOST)
    assert gate.unreached == 1
    assert len(gate.unanswered - before) == len(gate.unanswered) == 1


@pytest.mark.parametrize(
    ("outcome", "expected"), [(UNREACHED, DOWN), (LOST, PROBABLY_DOWN)], ids=["unreached", "lost"]
)
def test_a_channel_that_is_tried_is_down_at_the_first_failure(
    outcome: Outcome, expected: Unavailable
) -> None:
    gate = a_gate("email", recovering=frozenset({"email"}))
    assert heard(gate, outcome) == [expected]
    assert gate.stopped == {"email": expected}


def test_an_identity_that_is_tried_is_not_blamed_for_one_lost_answer() -> None:
    gate = a_gate("email/shop.example", recovering=frozenset({"email/shop.example"}))
    assert heard(gate, LOST) == [LOST]
    assert gate.stopped == {}
    assert gate.answered == set()


def test_an_answer_speaks_for_all_that_it_went_through() -> None:
    gate = a_gate("email", recovering=frozenset({"email"}))
    heard(gate, Delivered(message_id="m-1"))
    assert gate.answered == set(SHOP)
    heard(gate, Failed(error="Unknown (400)"), resources=NEWS)
    assert gate.answered == {*SHOP, *NEWS}


def test_a_refusal_of_one_identity_speaks_for_the_channel() -> None:
    gate = a_gate("email", recovering=frozenset({"email"}))
    heard(gate, DENIED)
    assert "email" in gate.answered
    assert gate.stopped == {}


@pytest.mark.parametrize("outcome", [Throttled, Unavailable])
def test_an_answer_that_stops_the_channel_speaks_for_nothing(
    outcome: type[Throttled | Unavailable],
) -> None:
    gate = a_gate()
    heard(gate, outcome(resource="email", error="stop"))
    assert gate.answered == set()


# What a refusal of one identity counts as.


def refused(gate: Gate, count: int = 1, **claim: Any) -> list[Claim]:
    """Send so many routes by the shop, each refused before the next begins."""
    claims = [a_claim(route_id=uuid.uuid4(), **claim) for _ in range(count)]
    for one in claims:
        gate.keeps(SHOP)
        gate.heard(one, SHOP, DENIED)
    return claims


def accepted(gate: Gate, count: int = 1) -> None:
    for _ in range(count):
        gate.keeps(SHOP)
        gate.heard(a_route(), SHOP, Delivered(message_id="m-1"))


def decided(gate: Gate, claims: Sequence[Claim]) -> list[Outcome]:
    return [gate.decided(claim, DENIED) for claim in claims]


def test_a_few_refusals_in_a_row_close_their_identity_alone() -> None:
    gate = a_gate()
    refused(gate, MOST_REFUSED - 1)
    assert gate.keeps(SHOP) is None
    refused(gate)
    assert (gate.keeps(SHOP), gate.keeps(NEWS)) == (SHOP[1], None)
    assert gate.stopped == {SHOP[1]: DENIED}


def test_refusals_of_earlier_batches_count_in_a_row() -> None:
    before = frozenset(uuid.uuid4() for _ in range(MOST_REFUSED - 1))
    gate = a_gate(refused={SHOP[1]: before})
    refused(gate)
    assert gate.keeps(SHOP) == SHOP[1]


def test_an_acceptance_after_refusals_opens_their_identity_again() -> None:
    beside: set[str] = set()
    gate = Gate(Standing(channel="email"), (), beside)
    gate.keeps(SHOP)  # under way when the others are refused
    refused(gate, MOST_REFUSED)
    assert beside == {SHOP[1]}
    gate.heard(a_route(), SHOP, Delivered(message_id="m-1"))
    assert gate.keeps(SHOP) is None
    assert (gate.stopped, beside, gate.reopened) == ({}, set(), {SHOP[1]})


def test_where_an_identity_accepts_it_takes_many_refusals_in_a_row_to_close_it() -> None:
    gate = a_gate()
    accepted(gate)
    refused(gate, MOST_REFUSED_WHERE_ACCEPTED - 1)
    assert gate.keeps(SHOP) is None
    refused(gate)
    assert gate.keeps(SHOP) == SHOP[1]


@pytest.mark.parametrize("max_attempts", [1, 8])
def test_a_refusal_is_the_routes_own_where_a_later_send_is_accepted(max_attempts: int) -> None:
    gate = a_gate()
    claims = refused(gate, 2, attempts=1, max_attempts=max_attempts)
    accepted(gate)
    assert decided(gate, claims) == [OWN, OWN]
    assert gate.undecided == {}


@pytest.mark.parametrize(("max_attempts", "expected"), [(8, OWN), (1, DENIED)])
def test_an_earlier_acceptance_makes_it_likely_and_takes_no_last_attempt(
    max_attempts: int, expected: Outcome
) -> None:
    gate = a_gate()
    accepted(gate)
    claims = refused(gate, 2, attempts=1, max_attempts=max_attempts)
    assert decided(gate, claims) == [expected, expected]


def test_an_acceptance_of_a_send_that_began_before_the_refusal_takes_no_last_attempt() -> None:
    gate = a_gate()
    gate.keeps(SHOP)
    claim = a_claim(route_id=uuid.uuid4(), attempts=1, max_attempts=1)
    gate.heard(claim, SHOP, DENIED)
    gate.heard(a_route(), SHOP, Delivered(message_id="m-1"))
    assert decided(gate, [claim]) == [DENIED]


def test_a_refusal_is_undecided_where_nothing_is_accepted() -> None:
    gate = a_gate()
    fresh, again = refused(gate)[0], refused(gate, refusals=2)[0]
    assert decided(gate, [fresh, again]) == [DENIED, DENIED]
    assert gate.undecided == {SHOP[1]: {fresh.route_id: True, again.route_id: False}}


def test_a_route_that_is_known_to_be_refused_itself_needs_no_further_proof() -> None:
    gate = a_gate()
    claims = refused(gate, MOST_REFUSED, own_refusal=True)
    assert decided(gate, claims) == [OWN] * MOST_REFUSED
    assert gate.keeps(SHOP) is None


def test_an_acceptance_by_another_identity_explains_nothing() -> None:
    gate = a_gate()
    (claim,) = refused(gate)
    gate.keeps(NEWS)
    gate.heard(a_route(), NEWS, Delivered(message_id="m-1"))
    assert decided(gate, [claim]) == [DENIED]


def test_an_acceptance_of_the_same_run_just_before_makes_it_likely_too() -> None:
    gate = Gate(Standing(channel="email"), (), None, {SHOP[1]})
    claims = refused(gate, MOST_REFUSED + 1, attempts=1, max_attempts=8)
    (last,) = refused(gate, attempts=8, max_attempts=8)
    assert gate.keeps(SHOP) is None
    assert decided(gate, [*claims, last]) == [OWN] * len(claims) + [DENIED]


def test_other_outcomes_are_decided_already() -> None:
    gate = a_gate()
    (claim,) = refused(gate)
    for outcome in (*SILENCE, *ANSWERS[:3], DOWN, LOST, UNREACHED):
        assert gate.decided(claim, outcome) == outcome
