"""The pool: sends keep to their slots and to their time, and to what the gate lets pass."""

import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import pytest

from dovecote.aws.telemetry import no_span
from dovecote.core.channel_state import ChannelState, SendSlots
from dovecote.core.claim import Claim
from dovecote.core.outcome import (
    Ambiguous,
    Delivered,
    Failed,
    NotBegun,
    Outcome,
    Result,
    Throttled,
    Unavailable,
)
from dovecote.dispatch.calls import Call
from dovecote.dispatch.circuit_breaker import CircuitBreaker
from dovecote.dispatch.pool import MayBegin, Pool, Reply, one_by_one
from tests.unit.examples import ANN, a_claim

ACCEPTED = Delivered(message_id="m-1")
AMPLE = SendSlots(room=1000)


class Time:
    """A clock that goes on by sleeping alone, for a pool of one thread."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def a_pool(
    workers: int = 1,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    send_seconds: float = 0.1,
) -> Pool:
    return Pool(
        workers=workers,
        send_seconds=send_seconds,
        clock=clock,
        sleep=sleep,
        span=no_span,
        sent=lambda _: None,
    )


def a_gate(**channel_state: Any) -> CircuitBreaker:
    return CircuitBreaker(ChannelState(channel="email", **channel_state))


def through(claim: Claim) -> Sequence[str]:
    return claim.channel, f"email/{claim.kind}"


def some_claims(count: int, **changes: Any) -> list[Claim]:
    return [a_claim(route_id=uuid.uuid4(), **changes) for _ in range(count)]


def accepting_after(released: threading.Event) -> Callable[[Claim], Outcome]:
    def send(_claim: Claim) -> Outcome:
        assert released.wait(30)
        return ACCEPTED

    return send


def alone(claims: Sequence[Claim]) -> list[Call]:
    """Return a call for each claim, in the slots of a batch."""
    return [Call(claims=[claim], slot=place) for place, claim in enumerate(claims)]


def delivered(
    pool: Pool,
    send: Callable[[Claim], Outcome],
    claims: Sequence[Claim],
    begin_before: float,
    slots: SendSlots = AMPLE,
    breaker: CircuitBreaker | None = None,
) -> dict[uuid.UUID, Outcome]:
    """Deliver claims by a call for each."""
    return pool.deliver(
        one_by_one(send), through, alone(claims), begin_before, slots, breaker or a_gate()
    )


def soon() -> float:
    return time.monotonic() + 0.1


def eventually(read: Callable[[], list[Any]]) -> list[Any]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = read()
        if found:
            return found
        time.sleep(0.01)
    return []


# What overruns its time is neither lost nor charged to those behind it.


def test_a_send_that_overruns_is_left_out_and_told_later_once() -> None:
    released, claim, pool = threading.Event(), a_claim(), a_pool()
    send = accepting_after(released)
    assert delivered(pool, send, [claim], soon(), AMPLE, a_gate()) == {}
    assert pool.late() == []
    released.set()
    assert eventually(pool.late) == [Result(claim=claim, outcome=ACCEPTED)]
    assert pool.late() == []


class Handed:
    """Takes results early and remembers them, with when they came."""

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        self.portions: list[list[Result]] = []
        self._begun = time.monotonic()
        self.seconds: list[float] = []
        self._then = then

    def __call__(self, results: Sequence[Result]) -> None:
        if results:
            self.portions.append(list(results))
            self.seconds.append(time.monotonic() - self._begun)
            self._then()

    @property
    def outcomes(self) -> dict[uuid.UUID, Outcome]:
        return {one.claim.route_id: one.outcome for some in self.portions for one in some}


def handing_over(
    pool: Pool, send: Callable[[Claim], Outcome], claims: Sequence[Claim], early: Handed
) -> dict[uuid.UUID, Outcome]:
    """Deliver claims by a call for each; `early` takes results before the end."""
    ends = time.monotonic() + 30
    return pool.deliver(one_by_one(send), through, alone(claims), ends, AMPLE, a_gate(), early)


def test_accepted_messages_are_handed_over_at_once_while_a_slow_send_is_under_way() -> None:
    released, pool = threading.Event(), a_pool(workers=2, send_seconds=30)
    slow, *quick = some_claims(4)
    early = Handed(lambda: released.set() if len(early.outcomes) == len(quick) else None)

    def send(claim: Claim) -> Outcome:
        return accepting_after(released)(claim) if claim is slow else ACCEPTED

    assert handing_over(pool, send, [slow, *quick], early) == {}
    assert early.outcomes == {claim.route_id: ACCEPTED for claim in (slow, *quick)}
    assert early.seconds[0] < 0.5, "they waited for a tick"


def test_accepted_messages_are_handed_over_before_a_batch_returns() -> None:
    early, claims = Handed(), some_claims(3)
    failed = Failed(error="no")
    left = handing_over(
        a_pool(workers=3), lambda one: failed if one is claims[0] else ACCEPTED, claims, early
    )
    assert left == {claims[0].route_id: failed}
    assert early.outcomes == {claim.route_id: ACCEPTED for claim in claims[1:]}


def test_messages_accepted_during_a_commit_share_the_next_one() -> None:
    claims, pool = some_claims(20), a_pool(workers=20, send_seconds=30)
    committing, all_sent = threading.Event(), threading.Barrier(21)

    def send(claim: Claim) -> Outcome:
        assert claim is claims[0] or committing.wait(30)
        threading.Thread(target=all_sent.wait).start()
        return ACCEPTED

    def commit() -> None:
        if not committing.is_set():
            committing.set()
            all_sent.wait(30)
            time.sleep(0.1)  # until what was sent is among the outcomes too

    early = Handed(commit)
    assert handing_over(pool, send, claims, early) == {}
    assert [len(portion) for portion in early.portions] == [1, 19]


def test_other_outcomes_are_handed_over_while_a_slow_send_is_under_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dovecote.dispatch.pool.OTHERS_SECONDS", 0.02)
    released, pool = threading.Event(), a_pool(workers=2, send_seconds=30)
    slow, failing = some_claims(2)
    failed, early = Failed(error="no"), Handed(released.set)

    def send(claim: Claim) -> Outcome:
        return accepting_after(released)(claim) if claim is slow else failed

    assert handing_over(pool, send, [slow, failing], early) == {}
    assert early.portions[0] == [Result(claim=failing, outcome=failed)]


def test_an_answer_that_comes_too_late_wakes_the_batch_that_is_under_way() -> None:
    released, ended, pool = threading.Event(), threading.Event(), a_pool(workers=2)
    late, slow = some_claims(2)
    assert delivered(pool, accepting_after(released), [late], soon()) == {}
    calls: list[list[Result]] = []

    def early(_: Sequence[Result]) -> None:
        calls.append(pool.late())
        if calls[-1]:
            ended.set()

    threading.Timer(0.2, released.set).start()
    began = time.monotonic()
    send, ends = one_by_one(accepting_after(ended)), began + 30
    pool.deliver(send, through, alone([slow]), ends, AMPLE, a_gate(), early)
    assert [Result(claim=late, outcome=ACCEPTED)] in calls
    assert time.monotonic() - began < 0.7, "it waited for a tick"


def test_those_that_waited_behind_it_were_not_begun() -> None:
    released, pool = threading.Event(), a_pool()
    claims = some_claims(3)
    outcomes = delivered(pool, accepting_after(released), claims, soon(), AMPLE, a_gate())
    assert outcomes == {claim.route_id: NotBegun() for claim in claims[1:]}
    released.set()


# Slots.


def test_each_send_begins_in_its_slot_and_in_order() -> None:
    now, sent = Time(), []
    claims = some_claims(4)

    def send(claim: Claim) -> Outcome:
        sent.append((claim.route_id, now.now))
        now.now += 0.1  # what a send takes is not added to what it waits
        return ACCEPTED

    slots = SendSlots(room=4, wait=1.0, spacing=0.25)
    pool = a_pool(clock=now.clock, sleep=now.sleep)
    outcomes = delivered(pool, send, claims, 10.0, slots, a_gate())
    assert set(outcomes.values()) == {ACCEPTED}
    assert sent == [
        (claim.route_id, pytest.approx(1.0 + 0.25 * place)) for place, claim in enumerate(claims)
    ]


def test_slots_are_kept_in_time_by_many_threads() -> None:
    sent: list[float] = []
    lock = threading.Lock()

    def send(_claim: Claim) -> Outcome:
        with lock:
            sent.append(time.monotonic())
        time.sleep(0.05)  # longer than a slot: they overlap
        return ACCEPTED

    started = time.monotonic()
    slots = SendSlots(room=10, wait=0.1, spacing=0.03)
    delivered(
        a_pool(workers=10, send_seconds=5), send, some_claims(10), started + 5, slots, a_gate()
    )
    assert len(sent) == 10
    for place, at in enumerate(sorted(sent)):
        assert at - started >= 0.1 + 0.03 * place


def test_who_is_late_for_a_slot_does_not_wait() -> None:
    now = Time()

    def slow(_claim: Claim) -> Outcome:
        now.now += 3.0
        return ACCEPTED

    pool = a_pool(clock=now.clock, sleep=now.sleep)
    delivered(pool, slow, some_claims(3), 10.0, SendSlots(room=3, spacing=1.0), a_gate())
    assert now.slept == []


def test_what_is_beyond_the_room_is_not_begun() -> None:
    claims = some_claims(5)
    asked: list[Claim] = []

    def send(claim: Claim) -> Outcome:
        asked.append(claim)
        return ACCEPTED

    outcomes = delivered(a_pool(), send, claims, time.monotonic() + 5, SendSlots(room=2), a_gate())
    assert [outcomes[claim.route_id] for claim in claims] == [
        ACCEPTED, ACCEPTED, NotBegun(), NotBegun(), NotBegun(),
    ]  # fmt: skip
    assert asked == claims[:2]


def test_no_send_begins_at_or_after_the_time_that_is_named() -> None:
    now, sent = Time(), []
    claims = some_claims(4)

    def send(_claim: Claim) -> Outcome:
        sent.append(now.now)
        return ACCEPTED

    pool = a_pool(clock=now.clock, sleep=now.sleep)
    outcomes = delivered(pool, send, claims, 2.0, SendSlots(room=4, spacing=1.0), a_gate())
    assert sent == [0.0, 1.0]
    assert [outcomes[claim.route_id] for claim in claims] == [
        ACCEPTED, ACCEPTED, NotBegun(), NotBegun(),
    ]  # fmt: skip
    assert now.now <= 2.0


def test_a_time_that_is_over_begins_nothing() -> None:
    asked: list[Claim] = []

    def send(claim: Claim) -> Outcome:
        asked.append(claim)
        return ACCEPTED

    claims = some_claims(3)
    outcomes = delivered(a_pool(), send, claims, time.monotonic() - 1, AMPLE, a_gate())
    assert outcomes == {claim.route_id: NotBegun() for claim in claims}
    assert asked == []


# The gate.


def test_after_the_first_answer_that_says_to_stop_nothing_is_begun() -> None:
    claims = some_claims(5)
    off = Unavailable(resource="email", error="off")
    answers = iter([ACCEPTED, off])
    breaker = a_gate()
    outcomes = delivered(
        a_pool(), lambda _: next(answers), claims, time.monotonic() + 5, AMPLE, breaker
    )
    assert [outcomes[claim.route_id] for claim in claims] == [
        ACCEPTED, off, *[NotBegun(behind="email")] * 3,
    ]  # fmt: skip
    assert breaker.stopped == {"email": off}


def test_after_congestion_nothing_is_begun_and_one_throttle_answer_is_none() -> None:
    claims = some_claims(8)
    fast = Throttled(resource="email", error="fast")
    answers = iter([fast, ACCEPTED, fast, fast, fast])
    outcomes = delivered(
        a_pool(), lambda _: next(answers), claims, time.monotonic() + 5, AMPLE, a_gate()
    )
    assert [outcomes[claim.route_id] for claim in claims] == [
        fast, ACCEPTED, fast, fast, fast, *[NotBegun(behind="email")] * 3,
    ]  # fmt: skip


def test_what_waits_for_its_slot_hears_that_it_is_to_stop() -> None:
    claims = some_claims(2)
    off = Unavailable(resource="email", error="off")
    outcomes = delivered(
        a_pool(workers=2),
        lambda _: off,
        claims,
        time.monotonic() + 5,
        SendSlots(room=2, spacing=0.2),
        a_gate(),
    )
    assert [outcomes[claim.route_id] for claim in claims] == [off, NotBegun(behind="email")]


def test_one_resource_that_is_closed_keeps_only_its_own() -> None:
    shop, news = a_claim(kind="shop"), a_claim(kind="news", route_id=uuid.uuid4())
    breaker = a_gate(paused=frozenset({"email/shop"}))
    outcomes = delivered(
        a_pool(), lambda _: ACCEPTED, [shop, news], time.monotonic() + 5, AMPLE, breaker
    )
    assert outcomes == {shop.route_id: NotBegun(behind="email/shop"), news.route_id: ACCEPTED}
    assert breaker.answered == {"email", "email/news"}


def test_an_error_of_our_own_may_have_come_after_the_send_and_names_nobody() -> None:
    def broken(_claim: Claim) -> Outcome:
        raise RuntimeError(f"cannot send to {ANN}")

    outcome: Any
    (outcome,) = delivered(
        a_pool(), broken, [a_claim()], time.monotonic() + 5, AMPLE, a_gate()
    ).values()
    assert outcome == Ambiguous(error=outcome.error)
    assert re.fullmatch(r"RuntimeError in test_pool\.py:\d+", outcome.error)


def test_errors_of_our_own_are_no_outage_however_many_there_are() -> None:
    def broken(_claim: Claim) -> Outcome:
        raise RuntimeError("no")

    claims, breaker = some_claims(8), a_gate()
    outcomes = delivered(a_pool(), broken, claims, time.monotonic() + 5, AMPLE, breaker)
    assert {type(outcome) for outcome in outcomes.values()} == {Ambiguous}
    assert outcomes.keys() == {claim.route_id for claim in claims}
    assert (breaker.stopped, breaker.unanswered, breaker.answered) == ({}, set(), set())


# Calls of several claims.

LOST = Ambiguous(error="closed")


def in_one_call(
    pool: Pool,
    send: Callable[[Sequence[Claim], MayBegin], Iterator[Reply]],
    claims: Sequence[Claim],
    begin_before: float | None = None,
    breaker: CircuitBreaker | None = None,
) -> dict[uuid.UUID, Outcome]:
    call = Call(claims=claims, slot=len(claims) - 1)
    before = time.monotonic() + 5 if begin_before is None else begin_before
    return pool.deliver(send, through, [call], before, AMPLE, breaker or a_gate())


def test_a_call_begins_in_the_slot_of_its_last_claim() -> None:
    now, began = Time(), []

    def send(claims: Sequence[Claim], _: MayBegin) -> Iterator[Reply]:
        began.append(now.now)
        yield claims, ACCEPTED

    claims = some_claims(3)
    calls = [Call(claims=claims[:2], slot=1), Call(claims=claims[2:], slot=2)]
    pool = a_pool(clock=now.clock, sleep=now.sleep)
    slots = SendSlots(room=3, wait=1.0, spacing=0.25)
    outcomes = pool.deliver(send, through, calls, 10.0, slots, a_gate())
    assert outcomes == {claim.route_id: ACCEPTED for claim in claims}
    assert began == [pytest.approx(1.25), pytest.approx(1.5)]


def test_what_is_said_once_of_many_counts_once() -> None:
    def lost(claims: Sequence[Claim], _: MayBegin) -> Iterator[Reply]:
        yield claims, LOST

    claims, breaker = some_claims(50), a_gate()
    outcomes = in_one_call(a_pool(), lost, claims, breaker=breaker)
    assert outcomes == {claim.route_id: LOST for claim in claims}
    assert (breaker.stopped, breaker.unanswered) == ({}, {claims[0].route_id})


def test_the_last_straw_of_an_outage_is_that_of_all_that_were_in_the_call() -> None:
    def lost(claims: Sequence[Claim], _: MayBegin) -> Iterator[Reply]:
        yield claims, LOST

    claims = some_claims(3)
    breaker = a_gate(unanswered=frozenset(uuid.uuid4() for _ in range(4)))
    off = Unavailable(resource="email", error="closed", doubtful=True)
    assert set(in_one_call(a_pool(), lost, claims, breaker=breaker).values()) == {off}


def test_an_error_of_our_own_leaves_in_doubt_what_nothing_was_said_of() -> None:
    def broken(claims: Sequence[Claim], _: MayBegin) -> Iterator[Reply]:
        yield claims[:1], ACCEPTED
        raise RuntimeError(f"cannot send to {ANN}")

    claims = some_claims(3)
    outcomes = in_one_call(a_pool(), broken, claims)
    assert outcomes.pop(claims[0].route_id) == ACCEPTED
    assert outcomes.keys() == {claim.route_id for claim in claims[1:]}
    for outcome in outcomes.values():
        assert isinstance(outcome, Ambiguous)
        assert re.fullmatch(r"RuntimeError in test_pool\.py:\d+", outcome.error)


def test_of_a_call_that_overruns_what_was_said_in_time_is_not_left_out() -> None:
    released, claims, pool = threading.Event(), some_claims(3), a_pool()

    def send(claims: Sequence[Claim], _: MayBegin) -> Iterator[Reply]:
        yield claims[:1], ACCEPTED
        assert released.wait(30)
        yield claims[1:], Failed(error="no")

    assert in_one_call(pool, send, claims, soon()) == {claims[0].route_id: ACCEPTED}
    released.set()
    late: list[Result] = []
    while len(late) < 2:
        late += eventually(pool.late)
    assert late == [Result(claim=claim, outcome=Failed(error="no")) for claim in claims[1:]]


def test_no_further_request_of_a_call_begins_after_its_time_or_behind_a_closed_gate() -> None:
    now = Time()
    answers: list[NotBegun | None] = []
    off = Unavailable(resource="email", error="off")

    def slow(claims: Sequence[Claim], may_begin: MayBegin) -> Iterator[Reply]:
        answers.append(may_begin())
        now.now = 11.0
        answers.append(may_begin())
        yield claims, ACCEPTED

    in_one_call(a_pool(clock=now.clock, sleep=now.sleep), slow, some_claims(2), 10.0)

    def fast(claims: Sequence[Claim], may_begin: MayBegin) -> Iterator[Reply]:
        yield claims[:1], off
        answers.append(may_begin())
        yield claims[1:], NotBegun(behind="email")

    in_one_call(a_pool(), fast, some_claims(2))
    assert answers == [None, NotBegun(), NotBegun(behind="email")]


@pytest.mark.parametrize(
    ("given", "continued"), [(["0", "0"], ["0"]), (["0", "1"], []), ([None], [None])]
)
def test_a_call_has_one_span_which_continues_the_trace_of_its_claims_where_that_is_one(
    given: list[str | None], continued: list[str | None]
) -> None:
    spans: list[tuple[str, ...]] = []

    def span(*given: str) -> Any:
        spans.append(given)
        return nullcontext()

    took: list[float] = []
    pool = Pool(
        workers=1,
        send_seconds=1,
        clock=time.monotonic,
        sleep=time.sleep,
        span=span,
        sent=took.append,
    )
    claims = [a_claim(route_id=uuid.uuid4(), traceparent=one) for one in given]
    in_one_call(pool, lambda claims, _: iter([(claims, ACCEPTED)]), claims)
    assert spans == [("notification.attempt", *continued)]
    assert len(took) == 1
