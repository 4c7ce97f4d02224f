"""The circuit breaker: what a worker may begin after the answers so far, and what is an outage."""

import uuid
from collections.abc import Sequence
from typing import Any

import pytest

from dovecote.core.channel_state import ChannelState, Throttling
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
from dovecote.dispatch.sending.circuit_breaker import (
    MOST_REFUSED,
    MOST_REFUSED_WHERE_ACCEPTED,
    MOST_UNANSWERED,
    MOST_UNREACHED,
    PROBES,
    CircuitBreaker,
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


def a_breaker(*probing: str, **channel_state: Any) -> CircuitBreaker:
    return CircuitBreaker(ChannelState(channel="email", **channel_state), probing)


def recorded(
    breaker: CircuitBreaker, *outcomes: Outcome, resources: Sequence[str] = SHOP
) -> list[Outcome]:
    """Record each outcome for a route of its own."""
    return [breaker.record(a_route(), resources, outcome) for outcome in outcomes]


def a_route() -> Claim:
    return a_claim(route_id=uuid.uuid4())


@pytest.mark.parametrize(
    ("accepted", "accepts_nothing"),
    [((), True), (("push",), True), (("email/shop.example",), True), (("email",), False)],
)
@pytest.mark.parametrize(("before", "refusals"), [(0.0, 5), (0.0, 40), (4.5, 1)])
def test_a_batch_of_refusals_is_no_outage_where_the_run_had_an_acceptance_just_before(
    accepted: Sequence[str], accepts_nothing: bool, before: float, refusals: int
) -> None:
    state = ChannelState(channel="email", throttling=Throttling(requests=before))
    breaker = CircuitBreaker(state, recently_accepted=accepted)
    for _ in range(refusals):
        breaker.count(0, 1, of_many=False)
    assert breaker.congestion.detected
    assert breaker.refuses_all == accepts_nothing


def test_a_resource_that_one_batch_finds_stopped_is_blocked_for_concurrent_batches() -> None:
    shared = set[str]()
    first, second = (CircuitBreaker(ChannelState(channel="email"), (), shared) for _ in range(2))
    assert second.blocked_by(SHOP) is None
    recorded(first, Throttled(resource="email/shop.example", error="too fast"))
    assert second.blocked_by(SHOP) == "email/shop.example"
    assert second.blocked_by(NEWS) is None
    assert not second.stopped  # the other batch stores the pause


def named(kind: object) -> str:
    return type(kind).__name__


# What may begin.


def test_a_breaker_lets_all_pass_where_nothing_is_known() -> None:
    breaker = a_breaker()
    assert [breaker.blocked_by(SHOP) for _ in range(100)] == [None] * 100


@pytest.mark.parametrize(
    ("outcome", "resource", "shop", "news"),
    [
        # the account: nothing goes out any more
        (Unavailable, "email", "email", "email"),
        # one identity: the other goes on
        (Throttled, "email/shop.example", "email/shop.example", None),
    ],
)
def test_the_first_answer_that_says_to_stop_opens_it_for_the_resource_it_names(
    outcome: type[Throttled | Unavailable], resource: str, shop: str | None, news: str | None
) -> None:
    breaker = a_breaker()
    first, second = (outcome(resource=resource, error=error) for error in ("first", "second"))
    assert recorded(breaker, first, second) == [first, second]
    assert (breaker.blocked_by(SHOP), breaker.blocked_by(NEWS)) == (shop, news)
    assert breaker.stopped == {resource: first}


FAST = Throttled(resource="email", error="fast")


def test_one_throttle_answer_blocks_nothing_and_congestion_blocks_the_channel() -> None:
    shared = set[str]()
    breaker, other = (CircuitBreaker(ChannelState(channel="email"), (), shared) for _ in range(2))
    for _ in range(3):
        assert (breaker.blocked_by(SHOP), breaker.has_opened) == (None, False)
        assert recorded(breaker, FAST) == [FAST]
        breaker.count(0, 1, of_many=False)
    assert (breaker.blocked_by(SHOP), other.blocked_by(NEWS), breaker.has_opened) == (
        "email",
        "email",
        True,
    )
    assert (breaker.throttled, breaker.stopped) == (FAST, {})


def test_a_throttled_probe_stops_the_channel() -> None:
    breaker = a_breaker("email", recovering=frozenset({"email"}))
    recorded(breaker, FAST)
    assert breaker.stopped == {"email": FAST}


def test_nothing_else_opens_it() -> None:
    breaker = a_breaker()
    for outcome in (*ANSWERS[:3], UNREACHED, LOST, FAST, *SILENCE):
        assert recorded(breaker, outcome) == [outcome]
        assert breaker.blocked_by(SHOP) is None
    assert breaker.stopped == {}


def test_a_paused_or_recovering_resource_is_blocked_from_the_start() -> None:
    breaker = a_breaker(paused=frozenset({"email/shop.example"}), recovering=frozenset({NEWS[1]}))
    assert breaker.blocked_by(SHOP) == "email/shop.example"
    assert breaker.blocked_by(NEWS) == "email/news.example"
    assert breaker.blocked_by(("email", "email/else.example")) is None


def test_a_channel_that_is_probed_lets_one_pass() -> None:
    breaker = a_breaker("email", recovering=frozenset({"email"}))
    assert [breaker.blocked_by(SHOP), breaker.blocked_by(SHOP), breaker.blocked_by(NEWS)] == [
        None,
        "email",
        "email",
    ]


def test_an_identity_that_is_probed_lets_a_few_of_its_own_pass() -> None:
    breaker = a_breaker("email/shop.example", recovering=frozenset({"email/shop.example"}))
    assert breaker.blocked_by(NEWS) is None
    assert [breaker.blocked_by(SHOP) for _ in range(PROBES + 2)] == [None] * PROBES + [SHOP[1]] * 2
    assert breaker.blocked_by(NEWS) is None


def test_an_identity_that_is_probed_is_open_after_the_first_acceptance() -> None:
    breaker = a_breaker("email/shop.example", recovering=frozenset({"email/shop.example"}))
    assert [breaker.blocked_by(SHOP) for _ in range(PROBES + 1)][-1] == SHOP[1]
    recorded(breaker, DENIED, Delivered(message_id="m-1"))
    assert breaker.blocked_by(SHOP) is None
    assert breaker.reopened == {SHOP[1]}
    assert not breaker.is_probe(SHOP)


def test_a_send_that_another_resource_blocks_does_not_use_up_the_probe() -> None:
    breaker = a_breaker("email/shop.example", recovering=frozenset({"email/shop.example", NEWS[1]}))
    assert breaker.blocked_by((*SHOP, NEWS[1])) == "email/news.example"
    assert breaker.blocked_by(SHOP) is None


# What counts as an outage.


def test_three_connections_that_fail_in_a_row_are_an_outage() -> None:
    breaker = a_breaker()
    assert recorded(breaker, *[UNREACHED] * MOST_UNREACHED) == [UNREACHED, UNREACHED, DOWN]
    assert breaker.blocked_by(SHOP) == "email"
    assert breaker.stopped == {"email": DOWN}


def test_connections_that_fail_for_one_route_are_an_outage_too() -> None:
    breaker, claim = a_breaker(), a_route()
    assert [breaker.record(claim, SHOP, UNREACHED) for _ in range(3)] == [
        UNREACHED,
        UNREACHED,
        DOWN,
    ]


def test_five_routes_in_a_row_without_an_answer_are_probably_an_outage() -> None:
    breaker = a_breaker()
    assert recorded(breaker, *[LOST] * MOST_UNANSWERED) == [LOST] * 4 + [PROBABLY_DOWN]
    assert breaker.blocked_by(SHOP) == "email"
    assert breaker.stopped == {"email": PROBABLY_DOWN}


def test_one_route_without_an_answer_is_no_outage_however_often_it_fails() -> None:
    breaker, claim = a_breaker(), a_route()
    assert [breaker.record(claim, SHOP, LOST) for _ in range(5)] == [LOST] * 5
    assert breaker.blocked_by(SHOP) is None
    assert breaker.unanswered == {claim.route_id}


@pytest.mark.parametrize("answer", ANSWERS, ids=named)
@pytest.mark.parametrize("failure", [UNREACHED, LOST], ids=named)
def test_an_answer_in_between_starts_the_count_anew(answer: Outcome, failure: Outcome) -> None:
    breaker = a_breaker()
    most = MOST_UNREACHED if failure is UNREACHED else MOST_UNANSWERED
    before = [failure] * (most - 1)
    assert recorded(breaker, *before, answer, *before) == [*before, answer, *before]
    (last,) = recorded(breaker, failure)
    assert isinstance(last, Unavailable)


@pytest.mark.parametrize("silence", SILENCE, ids=named)
@pytest.mark.parametrize("failure", [UNREACHED, LOST], ids=named)
def test_what_was_not_asked_neither_counts_nor_starts_anew(
    silence: Outcome, failure: Outcome
) -> None:
    breaker = a_breaker()
    most = MOST_UNREACHED if failure is UNREACHED else MOST_UNANSWERED
    recorded(breaker, *[silence] * 10, *[failure] * (most - 1), *[silence] * 10)
    assert breaker.stopped == {}
    assert breaker.answered == set()
    (last,) = recorded(breaker, failure)
    assert isinstance(last, Unavailable)


def test_both_counts_are_kept_apart() -> None:
    breaker = a_breaker()
    assert recorded(breaker, LOST, UNREACHED, LOST, LOST, UNREACHED, LOST) == [
        LOST, UNREACHED, LOST, LOST, UNREACHED, LOST,
    ]  # fmt: skip
    assert (breaker.unreached, len(breaker.unanswered)) == (2, 4)


def test_what_failed_before_this_batch_counts() -> None:
    assert recorded(a_breaker(unreached=2), UNREACHED) == [DOWN]
    before = frozenset(uuid.uuid4() for _ in range(4))
    assert recorded(a_breaker(unanswered=before), LOST) == [PROBABLY_DOWN]


def test_a_route_that_was_counted_before_this_batch_is_not_counted_twice() -> None:
    claim = a_route()
    before = frozenset({claim.route_id, *(uuid.uuid4() for _ in range(3))})
    assert a_breaker(unanswered=before).record(claim, SHOP, LOST) == LOST


def test_an_answer_forgets_what_failed_before_this_batch() -> None:
    breaker = a_breaker(unreached=2, unanswered=frozenset(uuid.uuid4() for _ in range(4)))
    answer = Delivered(message_id="m-1")
    assert recorded(breaker, answer, UNREACHED, LOST) == [answer, UNREACHED, LOST]


def test_what_a_batch_counts_is_its_own_and_leaves_out_what_was_before() -> None:
    before = frozenset({uuid.uuid4()})
    breaker = a_breaker(unreached=1, unanswered=before)
    recorded(breaker, UNREACHED, LOST)
    assert breaker.unreached == 1
    assert len(breaker.unanswered - before) == len(breaker.unanswered) == 1


@pytest.mark.parametrize(
    ("outcome", "expected"), [(UNREACHED, DOWN), (LOST, PROBABLY_DOWN)], ids=["unreached", "lost"]
)
def test_a_channel_that_is_probed_is_down_at_the_first_failure(
    outcome: Outcome, expected: Unavailable
) -> None:
    breaker = a_breaker("email", recovering=frozenset({"email"}))
    assert recorded(breaker, outcome) == [expected]
    assert breaker.stopped == {"email": expected}


def test_an_identity_that_is_probed_is_not_blamed_for_one_lost_answer() -> None:
    breaker = a_breaker("email/shop.example", recovering=frozenset({"email/shop.example"}))
    assert recorded(breaker, LOST) == [LOST]
    assert breaker.stopped == {}
    assert breaker.answered == set()


def test_an_answer_speaks_for_all_that_it_went_through() -> None:
    breaker = a_breaker("email", recovering=frozenset({"email"}))
    recorded(breaker, Delivered(message_id="m-1"))
    assert breaker.answered == set(SHOP)
    recorded(breaker, Failed(error="Unknown (400)"), resources=NEWS)
    assert breaker.answered == {*SHOP, *NEWS}


def test_a_refusal_of_one_identity_speaks_for_the_channel() -> None:
    breaker = a_breaker("email", recovering=frozenset({"email"}))
    recorded(breaker, DENIED)
    assert "email" in breaker.answered
    assert breaker.stopped == {}


@pytest.mark.parametrize("outcome", [Throttled, Unavailable])
def test_an_answer_that_stops_the_channel_speaks_for_nothing(
    outcome: type[Throttled | Unavailable],
) -> None:
    breaker = a_breaker()
    recorded(breaker, outcome(resource="email", error="stop"))
    assert breaker.answered == set()


# What a refusal of one identity counts as.


def refused(breaker: CircuitBreaker, count: int = 1, **claim: Any) -> list[Claim]:
    """Send so many routes by the shop, each refused before the next begins."""
    claims = [a_claim(route_id=uuid.uuid4(), **claim) for _ in range(count)]
    for one in claims:
        breaker.blocked_by(SHOP)
        breaker.record(one, SHOP, DENIED)
    return claims


def accepted(breaker: CircuitBreaker, count: int = 1) -> None:
    for _ in range(count):
        breaker.blocked_by(SHOP)
        breaker.record(a_route(), SHOP, Delivered(message_id="m-1"))


def decided(breaker: CircuitBreaker, claims: Sequence[Claim]) -> list[Outcome]:
    return [breaker.decide(claim, DENIED) for claim in claims]


def test_a_few_refusals_in_a_row_stop_their_identity_alone() -> None:
    breaker = a_breaker()
    refused(breaker, MOST_REFUSED - 1)
    assert breaker.blocked_by(SHOP) is None
    refused(breaker)
    assert (breaker.blocked_by(SHOP), breaker.blocked_by(NEWS)) == (SHOP[1], None)
    assert breaker.stopped == {SHOP[1]: DENIED}


def test_refusals_of_earlier_batches_count_in_a_row() -> None:
    before = frozenset(uuid.uuid4() for _ in range(MOST_REFUSED - 1))
    breaker = a_breaker(refused={SHOP[1]: before})
    refused(breaker)
    assert breaker.blocked_by(SHOP) == SHOP[1]


def test_an_acceptance_after_refusals_reopens_their_identity() -> None:
    shared = set[str]()
    breaker = CircuitBreaker(ChannelState(channel="email"), (), shared)
    breaker.blocked_by(SHOP)  # under way when the others are refused
    refused(breaker, MOST_REFUSED)
    assert SHOP[1] in shared
    breaker.record(a_route(), SHOP, Delivered(message_id="m-1"))
    assert breaker.blocked_by(SHOP) is None
    assert (breaker.stopped, SHOP[1] in shared, breaker.reopened) == ({}, False, {SHOP[1]})


def test_an_identity_that_accepts_stops_after_many_refusals_in_a_row() -> None:
    breaker = a_breaker()
    accepted(breaker)
    refused(breaker, MOST_REFUSED_WHERE_ACCEPTED - 1)
    assert breaker.blocked_by(SHOP) is None
    refused(breaker)
    assert breaker.blocked_by(SHOP) == SHOP[1]


@pytest.mark.parametrize("max_attempts", [1, 8])
def test_a_refusal_is_the_routes_own_where_a_later_send_is_accepted(max_attempts: int) -> None:
    breaker = a_breaker()
    claims = refused(breaker, 2, attempts=1, max_attempts=max_attempts)
    accepted(breaker)
    assert decided(breaker, claims) == [OWN, OWN]
    assert breaker.undecided == {}


@pytest.mark.parametrize(("max_attempts", "expected"), [(8, OWN), (1, DENIED)])
def test_an_earlier_acceptance_makes_it_likely_and_takes_no_last_attempt(
    max_attempts: int, expected: Outcome
) -> None:
    breaker = a_breaker()
    accepted(breaker)
    claims = refused(breaker, 2, attempts=1, max_attempts=max_attempts)
    assert decided(breaker, claims) == [expected, expected]


def test_an_acceptance_of_a_send_that_began_before_the_refusal_takes_no_last_attempt() -> None:
    breaker = a_breaker()
    breaker.blocked_by(SHOP)
    claim = a_claim(route_id=uuid.uuid4(), attempts=1, max_attempts=1)
    breaker.record(claim, SHOP, DENIED)
    breaker.record(a_route(), SHOP, Delivered(message_id="m-1"))
    assert decided(breaker, [claim]) == [DENIED]


def test_a_refusal_is_undecided_where_nothing_is_accepted() -> None:
    breaker = a_breaker()
    fresh, again = refused(breaker)[0], refused(breaker, refusals=2)[0]
    assert decided(breaker, [fresh, again]) == [DENIED, DENIED]
    assert breaker.undecided == {SHOP[1]: {fresh.route_id: True, again.route_id: False}}


def test_a_route_that_is_known_to_be_refused_itself_needs_no_further_proof() -> None:
    breaker = a_breaker()
    claims = refused(breaker, MOST_REFUSED, own_refusal=True)
    assert decided(breaker, claims) == [OWN] * MOST_REFUSED
    assert breaker.blocked_by(SHOP) is None


def test_an_acceptance_by_another_identity_explains_nothing() -> None:
    breaker = a_breaker()
    (claim,) = refused(breaker)
    breaker.blocked_by(NEWS)
    breaker.record(a_route(), NEWS, Delivered(message_id="m-1"))
    assert decided(breaker, [claim]) == [DENIED]


def test_an_acceptance_of_the_same_run_just_before_makes_it_likely_too() -> None:
    breaker = CircuitBreaker(ChannelState(channel="email"), (), None, {SHOP[1]})
    claims = refused(breaker, MOST_REFUSED + 1, attempts=1, max_attempts=8)
    (last,) = refused(breaker, attempts=8, max_attempts=8)
    assert breaker.blocked_by(SHOP) is None
    assert decided(breaker, [*claims, last]) == [OWN] * len(claims) + [DENIED]


def test_other_outcomes_are_decided_already() -> None:
    breaker = a_breaker()
    (claim,) = refused(breaker)
    for outcome in (*SILENCE, *ANSWERS[:3], DOWN, LOST, UNREACHED):
        assert breaker.decide(claim, outcome) == outcome
