"""The sender: sends keep to their slots, to their time and to the circuit breaker."""

import re
import threading
import time
import uuid
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import pytest

from dovecote.aws.telemetry import no_span
from dovecote.channels.base import Prepared, Reply
from dovecote.core.channel_state import ChannelState, SendSlots
from dovecote.core.claim import Claim
from dovecote.core.outcome import (
    Ambiguous,
    Delivered,
    Failed,
    NotBegun,
    Outcome,
    Permanent,
    Result,
    Throttled,
    Unavailable,
    Unreachable,
)
from dovecote.dispatch.sending.circuit_breaker import CircuitBreaker
from dovecote.dispatch.sending.sender import Early, Sender
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


Send = Callable[[Sequence[Claim]], Iterable[Reply]]


class Scripted:
    """A channel that answers each request by a function; all its claims may share one."""

    hold_seconds = 0.0
    keeps_acceptances = False
    rate_from_provider = False
    max_size = 100

    def __init__(self, send: Send, batch_size: int = 1, size: int | None = 1) -> None:
        self._send = send
        self._size = size
        self.batch_size = batch_size

    def connect(self) -> None:
        pass

    def resources(self, claim: Claim) -> Sequence[str]:
        return claim.channel, f"email/{claim.kind}"

    def batch_key(self, _claim: Claim) -> Hashable | None:
        return "all"

    def prepare(self, claim: Claim) -> Prepared | Outcome:
        return Prepared(claim=claim, size=self._size)

    def send(self, messages: Sequence[Prepared]) -> Iterable[Reply]:
        return self._send([message.claim for message in messages])

    def rate(self) -> float | None:
        return None


def a_sender(
    send: Callable[[Claim], Outcome],
    workers: int = 1,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    send_seconds: float = 0.1,
) -> Sender:
    """Return a sender whose requests have one claim each."""
    return sender_of(
        Scripted(lambda claims: [(claims, send(claims[0]))]), workers, clock, sleep, send_seconds
    )


def sender_of(
    channel: Scripted,
    workers: int = 1,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    send_seconds: float = 0.1,
) -> Sender:
    return Sender(
        channel=channel,
        workers=workers,
        send_seconds=send_seconds,
        clock=clock,
        sleep=sleep,
        span=no_span,
        sent=lambda _: None,
    )


def a_breaker(**channel_state: Any) -> CircuitBreaker:
    return CircuitBreaker(ChannelState(channel="email", **channel_state))


def some_claims(count: int, **changes: Any) -> list[Claim]:
    return [a_claim(route_id=uuid.uuid4(), **changes) for _ in range(count)]


def accepting_after(released: threading.Event) -> Callable[[Claim], Outcome]:
    def send(_claim: Claim) -> Outcome:
        assert released.wait(30)
        return ACCEPTED

    return send


def delivered(
    sender: Sender,
    claims: Sequence[Claim],
    begin_before: float | None = None,
    slots: SendSlots = AMPLE,
    breaker: CircuitBreaker | None = None,
    early: Early | None = None,
) -> dict[uuid.UUID, Outcome]:
    return sender.send(
        claims,
        begin_before=time.monotonic() + 5 if begin_before is None else begin_before,
        slots=slots,
        breaker=breaker or a_breaker(),
        early=early,
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


# A send that overruns its time is neither lost nor charged to those behind it.


def test_a_send_that_overruns_is_left_out_and_late_once() -> None:
    released, claim = threading.Event(), a_claim()
    sender = a_sender(accepting_after(released))
    assert delivered(sender, [claim], soon()) == {}
    assert sender.late() == []
    released.set()
    assert eventually(sender.late) == [Result(claim=claim, outcome=ACCEPTED)]
    assert sender.late() == []


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
    sender: Sender, claims: Sequence[Claim], early: Handed
) -> dict[uuid.UUID, Outcome]:
    """Deliver claims in ample time; `early` takes results before the end."""
    return delivered(sender, claims, time.monotonic() + 30, early=early)


def test_accepted_messages_are_handed_over_at_once_during_a_slow_send() -> None:
    released = threading.Event()
    slow, *quick = some_claims(4)
    early = Handed(lambda: released.set() if len(early.outcomes) == len(quick) else None)

    def send(claim: Claim) -> Outcome:
        return accepting_after(released)(claim) if claim is slow else ACCEPTED

    sender = a_sender(send, workers=2, send_seconds=30)
    assert handing_over(sender, [slow, *quick], early) == {}
    assert early.outcomes == {claim.route_id: ACCEPTED for claim in (slow, *quick)}
    assert early.seconds[0] < 0.5, "they waited for a tick"


def test_accepted_messages_are_handed_over_before_a_batch_returns() -> None:
    early, claims = Handed(), some_claims(3)
    failed = Failed(error="no")
    sender = a_sender(lambda one: failed if one is claims[0] else ACCEPTED, workers=3)
    assert handing_over(sender, claims, early) == {claims[0].route_id: failed}
    assert early.outcomes == {claim.route_id: ACCEPTED for claim in claims[1:]}


def test_messages_accepted_during_a_commit_share_the_next_one() -> None:
    claims = some_claims(20)
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
    assert handing_over(a_sender(send, workers=20, send_seconds=30), claims, early) == {}
    assert [len(portion) for portion in early.portions] == [1, 19]


def test_other_outcomes_are_handed_over_during_a_slow_send(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dovecote.dispatch.sending.sender.OTHERS_SECONDS", 0.02)
    released = threading.Event()
    slow, failing = some_claims(2)
    failed, early = Failed(error="no"), Handed(released.set)

    def send(claim: Claim) -> Outcome:
        return accepting_after(released)(claim) if claim is slow else failed

    sender = a_sender(send, workers=2, send_seconds=30)
    assert handing_over(sender, [slow, failing], early) == {}
    assert early.portions[0] == [Result(claim=failing, outcome=failed)]


@pytest.mark.timed
def test_a_late_answer_wakes_the_batch_in_flight() -> None:
    released, ended = threading.Event(), threading.Event()
    late, slow = some_claims(2)
    sender = a_sender(lambda one: accepting_after(released if one is late else ended)(one), 2)
    assert delivered(sender, [late], soon()) == {}
    calls: list[list[Result]] = []

    def early(_: Sequence[Result]) -> None:
        calls.append(sender.late())
        if calls[-1]:
            ended.set()

    threading.Timer(0.2, released.set).start()
    began = time.monotonic()
    delivered(sender, [slow], began + 30, early=early)
    assert [Result(claim=late, outcome=ACCEPTED)] in calls
    assert time.monotonic() - began < 0.7, "it waited for a tick"


def test_claims_behind_a_send_that_overruns_were_not_begun() -> None:
    released, claims = threading.Event(), some_claims(3)
    outcomes = delivered(a_sender(accepting_after(released)), claims, soon())
    assert outcomes == {claim.route_id: NotBegun() for claim in claims[1:]}
    released.set()


# Slots.


def test_each_send_begins_in_its_slot_and_in_order() -> None:
    now, sent = Time(), []
    claims = some_claims(4)

    def send(claim: Claim) -> Outcome:
        sent.append((claim.route_id, now.now))
        now.now += 0.1  # the time of a send is not added to the wait
        return ACCEPTED

    slots = SendSlots(room=4, wait=1.0, spacing=0.25)
    sender = a_sender(send, clock=now.clock, sleep=now.sleep)
    assert set(delivered(sender, claims, 10.0, slots).values()) == {ACCEPTED}
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
    delivered(a_sender(send, workers=10, send_seconds=5), some_claims(10), started + 5, slots)
    assert len(sent) == 10
    for place, at in enumerate(sorted(sent)):
        assert at - started >= 0.1 + 0.03 * place


def test_a_send_that_is_late_for_its_slot_does_not_wait() -> None:
    now = Time()

    def slow(_claim: Claim) -> Outcome:
        now.now += 3.0
        return ACCEPTED

    sender = a_sender(slow, clock=now.clock, sleep=now.sleep)
    delivered(sender, some_claims(3), 10.0, SendSlots(room=3, spacing=1.0))
    assert now.slept == []


def test_claims_beyond_the_room_are_not_begun() -> None:
    claims = some_claims(5)
    asked: list[Claim] = []

    def send(claim: Claim) -> Outcome:
        asked.append(claim)
        return ACCEPTED

    outcomes = delivered(a_sender(send), claims, slots=SendSlots(room=2))
    assert [outcomes[claim.route_id] for claim in claims] == [
        ACCEPTED, ACCEPTED, NotBegun(), NotBegun(), NotBegun(),
    ]  # fmt: skip
    assert asked == claims[:2]


def test_no_send_begins_at_or_after_the_given_time() -> None:
    now, sent = Time(), []
    claims = some_claims(4)

    def send(_claim: Claim) -> Outcome:
        sent.append(now.now)
        return ACCEPTED

    sender = a_sender(send, clock=now.clock, sleep=now.sleep)
    outcomes = delivered(sender, claims, 2.0, SendSlots(room=4, spacing=1.0))
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
    outcomes = delivered(a_sender(send), claims, time.monotonic() - 1)
    assert outcomes == {claim.route_id: NotBegun() for claim in claims}
    assert asked == []


# The circuit breaker.


def test_after_the_first_answer_that_says_to_stop_nothing_is_begun() -> None:
    claims = some_claims(5)
    off = Unavailable(resource="email", error="off")
    answers = iter([ACCEPTED, off])
    breaker = a_breaker()
    outcomes = delivered(a_sender(lambda _: next(answers)), claims, breaker=breaker)
    assert [outcomes[claim.route_id] for claim in claims] == [
        ACCEPTED, off, *[NotBegun(behind="email")] * 3,
    ]  # fmt: skip
    assert breaker.stopped == {"email": off}


def test_after_congestion_nothing_is_begun_and_one_throttle_answer_is_none() -> None:
    claims = some_claims(8)
    fast = Throttled(resource="email", error="fast")
    answers = iter([fast, ACCEPTED, fast, fast, fast])
    outcomes = delivered(a_sender(lambda _: next(answers)), claims)
    assert [outcomes[claim.route_id] for claim in claims] == [
        fast, ACCEPTED, fast, fast, fast, *[NotBegun(behind="email")] * 3,
    ]  # fmt: skip


def test_a_send_that_waits_for_its_slot_stops_too() -> None:
    claims = some_claims(2)
    off = Unavailable(resource="email", error="off")
    sender = a_sender(lambda _: off, workers=2)
    outcomes = delivered(sender, claims, slots=SendSlots(room=2, spacing=0.2))
    assert [outcomes[claim.route_id] for claim in claims] == [off, NotBegun(behind="email")]


def test_a_blocked_resource_keeps_only_its_own_claims() -> None:
    shop, news = a_claim(kind="shop"), a_claim(kind="news", route_id=uuid.uuid4())
    breaker = a_breaker(paused=frozenset({"email/shop"}))
    outcomes = delivered(a_sender(lambda _: ACCEPTED), [shop, news], breaker=breaker)
    assert outcomes == {shop.route_id: NotBegun(behind="email/shop"), news.route_id: ACCEPTED}
    assert breaker.answered == {"email", "email/news"}


def test_an_exception_of_a_send_leaves_its_claim_in_doubt_and_names_nobody() -> None:
    def broken(_claim: Claim) -> Outcome:
        raise RuntimeError(f"cannot send to {ANN}")

    outcome: Any
    (outcome,) = delivered(a_sender(broken), [a_claim()]).values()
    assert outcome == Ambiguous(error=outcome.error)
    assert re.fullmatch(r"RuntimeError in test_sender\.py:\d+", outcome.error)


def test_exceptions_of_sends_are_no_outage_however_many_there_are() -> None:
    def broken(_claim: Claim) -> Outcome:
        raise RuntimeError("no")

    claims, breaker = some_claims(8), a_breaker()
    outcomes = delivered(a_sender(broken), claims, breaker=breaker)
    assert {type(outcome) for outcome in outcomes.values()} == {Ambiguous}
    assert outcomes.keys() == {claim.route_id for claim in claims}
    assert (breaker.stopped, breaker.unanswered, breaker.answered) == ({}, set(), set())


# Requests of several claims.

LOST = Ambiguous(error="closed")
REFUSED = Failed(error="BadRequest")


def in_bulk(send: Send, *, size: int | None = 1, **more: Any) -> Sender:
    """Return a sender of requests with up to fifty claims."""
    return sender_of(Scripted(send, batch_size=50, size=size), **more)


def test_a_call_begins_in_the_slot_of_its_last_claim() -> None:
    now, began = Time(), []

    def send(claims: Sequence[Claim]) -> Iterable[Reply]:
        began.append(now.now)
        return [(claims, ACCEPTED)]

    channel = Scripted(send, batch_size=2)
    claims = some_claims(3)
    slots = SendSlots(room=3, wait=1.0, spacing=0.25)
    outcomes = delivered(sender_of(channel, 1, now.clock, now.sleep), claims, 10.0, slots)
    assert outcomes == {claim.route_id: ACCEPTED for claim in claims}
    assert began == [pytest.approx(1.25), pytest.approx(1.5)]


def test_an_outcome_of_many_claims_counts_once() -> None:
    claims, breaker = some_claims(50), a_breaker()
    outcomes = delivered(in_bulk(lambda claims: [(claims, LOST)]), claims, breaker=breaker)
    assert outcomes == {claim.route_id: LOST for claim in claims}
    assert (breaker.stopped, breaker.unanswered) == ({}, {claims[0].route_id})


def test_an_outcome_that_completes_an_outage_is_that_of_all_claims_of_its_request() -> None:
    breaker = a_breaker(unanswered=frozenset(uuid.uuid4() for _ in range(4)))
    off = Unavailable(resource="email", error="closed", doubtful=True)
    sender = in_bulk(lambda claims: [(claims, LOST)])
    assert set(delivered(sender, some_claims(3), breaker=breaker).values()) == {off}


def test_an_exception_leaves_the_claims_of_its_request_without_an_outcome_in_doubt() -> None:
    def broken(claims: Sequence[Claim]) -> Iterator[Reply]:
        yield claims[:1], ACCEPTED
        raise RuntimeError(f"cannot send to {ANN}")

    claims = some_claims(3)
    outcomes = delivered(in_bulk(broken), claims)
    assert outcomes.pop(claims[0].route_id) == ACCEPTED
    assert outcomes.keys() == {claim.route_id for claim in claims[1:]}
    for outcome in outcomes.values():
        assert isinstance(outcome, Ambiguous)
        assert re.fullmatch(r"RuntimeError in test_sender\.py:\d+", outcome.error)


def test_an_exception_of_one_request_leaves_the_next_one_of_its_call_alone() -> None:
    def broken_once(claims: Sequence[Claim]) -> Iterable[Reply]:
        sizes.append(len(claims))
        if len(sizes) == 1:
            raise RuntimeError("no")
        return [(claims, ACCEPTED)]

    sizes: list[int] = []
    claims = some_claims(5)
    outcomes = delivered(in_bulk(broken_once, size=40), claims)
    assert sizes == [2, 2, 1]
    assert [type(outcomes[claim.route_id]) for claim in claims] == [
        Ambiguous, Ambiguous, Delivered, Delivered, Delivered,
    ]  # fmt: skip


def test_outcomes_in_time_of_a_request_that_overruns_are_kept() -> None:
    released, claims = threading.Event(), some_claims(3)

    def send(claims: Sequence[Claim]) -> Iterator[Reply]:
        yield claims[:1], ACCEPTED
        assert released.wait(30)
        yield claims[1:], Failed(error="no")

    sender = in_bulk(send)
    assert delivered(sender, claims, soon()) == {claims[0].route_id: ACCEPTED}
    released.set()
    late: list[Result] = []
    while len(late) < 2:
        late += eventually(sender.late)
    assert late == [Result(claim=claim, outcome=Failed(error="no")) for claim in claims[1:]]


@pytest.mark.parametrize(
    ("refusal", "singly"),
    [
        (REFUSED, True),
        (Permanent(error="MessageRejected"), True),
        (Unavailable(resource="email/shop.example", error="AccessDenied"), True),
        (Unavailable(resource="email", error="paused"), False),
        (Throttled(resource="email", error="fast"), False),
        (LOST, False),
        (Failed(error="no route", unreached=True), False),
        (Failed(error="NoRegionError", asked=False), False),
    ],
)
def test_the_messages_of_a_refused_request_are_sent_singly_where_that_may_help(
    refusal: Outcome, singly: bool
) -> None:
    requests: list[list[uuid.UUID]] = []

    def send(claims: Sequence[Claim]) -> Iterable[Reply]:
        requests.append([claim.route_id for claim in claims])
        return [(claims, refusal if len(claims) > 1 else ACCEPTED)]

    claims, breaker = some_claims(3), a_breaker()
    outcomes = delivered(in_bulk(send), claims, breaker=breaker)
    ids = [claim.route_id for claim in claims]
    assert requests == [ids, *([[one] for one in ids] if singly else [])]
    assert outcomes == dict.fromkeys(ids, ACCEPTED if singly else refusal)
    assert not singly or not (breaker.refused or breaker.stopped), "the refusal counted"


@pytest.mark.parametrize(
    "alone",
    [{"attempts": 2}, {"refusals": 1}, {"kind": "probed"}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_retry_a_refused_route_and_a_probe_are_sent_alone(alone: dict[str, Any]) -> None:
    requests: list[int] = []

    def send(claims: Sequence[Claim]) -> Iterable[Reply]:
        requests.append(len(claims))
        return [(claims, ACCEPTED)]

    breaker = CircuitBreaker(ChannelState(channel="email"), {"email/probed"})
    delivered(in_bulk(send), [*some_claims(3), *some_claims(1, **alone)], breaker=breaker)
    assert sorted(requests) == [1, 3]


@pytest.mark.parametrize(
    ("size", "sizes"), [(10, [10]), (11, [9, 1]), (34, [2] * 5), (100, [1] * 10), (None, [1] * 10)]
)
def test_requests_keep_to_the_size_that_a_channel_takes(size: int | None, sizes: list[int]) -> None:
    requests: list[int] = []

    def send(claims: Sequence[Claim]) -> Iterable[Reply]:
        requests.append(len(claims))
        return [(claims, ACCEPTED)]

    delivered(in_bulk(send, size=size), some_claims(10))
    assert requests == sizes


def test_no_further_request_of_a_call_begins_after_its_time() -> None:
    now, claims = Time(), some_claims(4)

    def slow(claims: Sequence[Claim]) -> Iterable[Reply]:
        now.now += 6.0
        return [(claims, ACCEPTED)]

    sender = in_bulk(slow, size=100, clock=now.clock, sleep=now.sleep)
    outcomes = delivered(sender, claims, 10.0)
    assert [outcomes[claim.route_id] for claim in claims] == [
        ACCEPTED, ACCEPTED, NotBegun(), NotBegun(),
    ]  # fmt: skip


def test_no_further_request_of_a_call_begins_through_a_stopped_resource() -> None:
    off = Unavailable(resource="email", error="off")
    answers = iter([REFUSED, ACCEPTED, off])
    claims = some_claims(4)
    outcomes = delivered(in_bulk(lambda some: [(some, next(answers))]), claims)
    assert [outcomes[claim.route_id] for claim in claims] == [
        ACCEPTED, off, NotBegun(behind="email"), NotBegun(behind="email"),
    ]  # fmt: skip


def test_congestion_among_the_requests_of_one_call_stops_the_rest() -> None:
    fast = Throttled(resource="email", error="fast")
    claims = some_claims(6)
    outcomes = delivered(in_bulk(lambda some: [(some, fast)], size=100), claims)
    assert [outcomes[claim.route_id] for claim in claims] == [
        *[fast] * 3, *[NotBegun(behind="email")] * 3,
    ]  # fmt: skip


def test_a_claim_that_needs_no_send_is_in_no_request() -> None:
    class Unrendered(Scripted):
        def prepare(self, claim: Claim) -> Prepared | Outcome:
            if claim is claims[0]:
                return Unreachable(reason="gone")
            if claim is claims[1]:
                raise ValueError(ANN)
            return super().prepare(claim)

    requests: list[list[uuid.UUID]] = []

    def send(claims: Sequence[Claim]) -> Iterable[Reply]:
        requests.append([claim.route_id for claim in claims])
        return [(claims, ACCEPTED)]

    claims = some_claims(4)
    outcomes = delivered(sender_of(Unrendered(send, batch_size=50)), claims)
    assert requests == [[claim.route_id for claim in claims[2:]]]
    assert [outcomes[claim.route_id] for claim in claims] == [
        Unreachable(reason="gone"), Permanent(error="cannot be sent: ValueError", asked=False),
        ACCEPTED, ACCEPTED,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "continued"), [(["0", "0"], ["0"]), (["0", "1"], []), ([None], [None])]
)
def test_a_call_has_one_span_which_continues_the_trace_that_its_claims_share(
    given: list[str | None], continued: list[str | None]
) -> None:
    spans: list[tuple[str, ...]] = []

    def span(*given: str) -> Any:
        spans.append(given)
        return nullcontext()

    took: list[float] = []
    sender = Sender(
        channel=Scripted(lambda claims: [(claims, ACCEPTED)], batch_size=50),
        workers=1,
        send_seconds=1,
        clock=time.monotonic,
        sleep=time.sleep,
        span=span,
        sent=took.append,
    )
    delivered(sender, [a_claim(route_id=uuid.uuid4(), traceparent=one) for one in given])
    assert spans == [("notification.attempt", *continued)]
    assert len(took) == 1
