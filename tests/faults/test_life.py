"""Any order of what can happen to routes, on the real store: the promises hold after each step."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import hypothesis.strategies as st
import psycopg
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from psycopg.rows import dict_row

from dovecote.channels import NAMES, lanes
from dovecote.core.backoff import Backoff
from dovecote.core.channel_state import ChannelState, SendSlots
from dovecote.core.claim import Claim
from dovecote.core.feedback import Feedback, Verdict
from dovecote.core.outcome import (
    Ambiguous,
    Delivered,
    Failed,
    Outcome,
    Permanent,
    Result,
    Throttled,
)
from dovecote.core.transitions import Refusal
from dovecote.store.database import Connection as Bounded
from dovecote.store.database import Database
from dovecote.store.people.erasure import PostgresErasure
from tests.builders import (
    CHANNEL,
    ScriptedChannel,
    a_deliver,
    a_dispatch,
    a_finaliser,
    a_lease,
    a_notification,
    a_route,
    accept,
    claim_lapsed,
    fresh,
    misfiled,
    redrive_one,
    stored,
)
from tests.store import HASHES, Store

# The clock moves in tens, so that none of these ends in a second or two of real time.
LEASE = 65.0
HOLD = 305.0
EXPIRIES = (35.0, 3605.0, 86405.0)
LANES = [lane.number for lane in lanes.ALL]
STEPS = (10.0, 30.0, 70.0, 310.0, 4000.0)
BACKOFF = Backoff(base=33, factor=2, maximum=3600, jitter=0)
MOST = 3  # notifications at once: the same few routes, in trouble again and again
DUE = "next_attempt_at <= clock_timestamp() and leased_until is null"
LAPSED = "leased_until <= clock_timestamp()"
HOLDS = {name: HOLD if name == CHANNEL else 0.0 for name in NAMES}

TIMES = {
    "notification_routes": (
        "next_attempt_at", "leased_until", "expires_at", "doubt_until", "published_at",
        "last_attempt_at",
    ),
    "channel_state": ("paused_until", "trying_until", "slowed_at", "rate_asked_at", "next_slot_at"),
}  # fmt: skip


@dataclass
class Sent:
    """One acceptance by the provider."""

    claim: Claim
    message_id: str
    at: float
    rejected: bool = False


@dataclass
class Held:
    """Claims in a worker's hands: to be delivered, then to be finalised."""

    claims: list[Claim]
    until: float
    results: Sequence[Result] = ()


class Life(RuleBasedStateMachine):
    """A provider and its workers, told in words; PostgreSQL is real."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.connection = psycopg.connect(self.url, autocommit=True, row_factory=dict_row)
        self.database = Database(
            lambda: Bounded.connect(self.url, autocommit=True, prepare_threshold=None)
        )
        self.store = Store(self.database, default_max_attempts=3)
        self.connection.execute(
            "truncate dovecote.notifications, dovecote.notification_routes,"
            " dovecote.notification_dead_letters, dovecote.email_deliveries,"
            " dovecote.further_acceptances, dovecote.email_rejections,"
            " dovecote.notification_events, dovecote.user_routes, dovecote.address_routes"
        )
        self.connection.execute("update dovecote.channel_state set paused_until = null")
        self.now = 0.0
        self.read_at = time.monotonic()
        self.ids = 0
        self.people = PostgresErasure(self.database, HASHES)
        self.cancelled = False
        self.erased: set[UUID] = set()
        self.notifications: list[UUID] = []
        self.acknowledged: set[UUID] = set()
        self.hands: list[Held] = []
        self.done: list[Held] = []
        self.sent: list[Sent] = []
        self.known: dict[UUID, set[str]] = {}  # acceptances that the store was told of, and stand
        self.unheard: set[UUID] = set()  # where a crash or an ambiguous answer was injected

    def teardown(self) -> None:
        try:
            self._everything_ends()
        finally:
            self.connection.close()
            self.database.close()

    # What happens.

    @initialize(attempts=st.integers(2, 3))
    def begin(self, attempts: int) -> None:
        self._submit(3, attempts, EXPIRIES[-1], at_once=False)

    @precondition(lambda self: len(self.notifications) < MOST)
    @rule(
        routes=st.integers(1, 3),
        attempts=st.integers(0, 3),
        expires_in=st.sampled_from(EXPIRIES),
        at_once=st.booleans(),
    )
    def submit(self, routes: int, attempts: int, expires_in: float, at_once: bool) -> None:
        self._submit(routes, attempts, expires_in, at_once=at_once)

    @precondition(lambda self: self._is_there(DUE))
    @rule(batch=st.integers(1, 5))
    def claim(self, batch: int) -> None:
        self._hold(fresh(self.store, dict.fromkeys(LANES, batch), a_lease(LEASE)))

    @precondition(lambda self: self._is_there(LAPSED))
    @rule()
    def claim_a_lapsed_one(self) -> None:
        claim = claim_lapsed(self.store, hold=HOLD)
        self._hold([] if claim is None else [claim])

    @precondition(lambda self: self.hands)
    @rule(data=st.data(), at_once=st.booleans())
    def deliver(self, data: st.DataObject, at_once: bool) -> None:
        """A worker delivers what it holds, and writes it down at once, or not yet."""
        self._deliver(data, self.hands.pop(data.draw(st.integers(0, len(self.hands) - 1))))
        if at_once:
            self._finalise(self.done.pop())

    @precondition(lambda self: self.hands)
    @rule(data=st.data())
    def deliver_slowly(self, data: st.DataObject) -> None:
        """A worker delivers what it holds; before it writes that down, others may send it too."""
        self._deliver(data, self.hands.pop())
        for step in STEPS[2:4]:  # over the end of the lease, and over the hold
            self.clock(step)
            held = len(self.hands)
            for _ in range(3):
                self.claim_a_lapsed_one()
            while len(self.hands) > held:
                self._deliver(data, self.hands.pop())

    def _deliver(self, data: st.DataObject, held: Held) -> None:
        """Deliver what a worker holds, each claim with an outcome of its own."""
        kinds = (
            "deliver", "deliver", "ambiguous", "ambiguous", "lost", "fail", "permanent", "throttle",
        )  # fmt: skip

        # Drawn before the threads of the sender begin.
        drawn = {claim.route_id: data.draw(st.sampled_from(kinds)) for claim in held.claims}

        def answer(claim: Claim) -> Outcome:
            return self._send(claim, drawn[claim.route_id])

        deliver = a_deliver(self.store, ScriptedChannel(answer=answer), lambda: self.now)
        delivery = deliver(
            held.claims,
            channel_state=ChannelState(channel=CHANNEL),
            slots=SendSlots(room=100),
            deadline=held.until,
        )
        self.done.append(replace(held, results=delivery.results))

    @precondition(lambda self: self.done)
    @rule(data=st.data())
    def finalise(self, data: st.DataObject) -> None:
        """A worker writes down what happened, early or late."""
        self._finalise(self.done.pop(data.draw(st.integers(0, len(self.done) - 1))))

    def _finalise(self, held: Held) -> None:
        before = self._rows()
        a_finaliser(backoff=BACKOFF, holds=HOLDS).settle(self.store, held.results, until=0)
        after = self._rows()
        for result in held.results:
            route_id = result.claim.route_id
            if before[route_id]["claim_token"] != result.claim.token:
                assert after[route_id] == before[route_id], "a stale finaliser changed a route"
            elif isinstance(result.outcome, Throttled):
                burnt = after[route_id]["attempts"] - before[route_id]["attempts"]
                assert burnt == -1, "a throttle answer burnt an attempt"
            if isinstance(result.outcome, Delivered) and not self._rejected(result.outcome):
                self.known.setdefault(route_id, set()).add(result.outcome.message_id)

    @precondition(lambda self: self.hands or self.done)
    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        """A worker dies, before or after it sent."""
        pile = data.draw(st.sampled_from([pile for pile in (self.hands, self.done) if pile]))
        held = pile.pop(data.draw(st.integers(0, len(pile) - 1)))
        self.unheard |= {claim.route_id for claim in held.claims}

    @rule(seconds=st.sampled_from(STEPS))
    def clock(self, seconds: float) -> None:
        self.now += seconds
        self._advance(seconds)

    @precondition(lambda self: self.sent)
    @rule(
        data=st.data(),
        rejected=st.sampled_from([False, False, False, True]),
        overtaken=st.booleans(),
    )
    def event(self, data: st.DataObject, rejected: bool, overtaken: bool) -> None:
        """SES tells of a send: once or again, and of its rejection before its acceptance."""
        sent = data.draw(st.sampled_from(self.sent))
        sent.rejected = sent.rejected or rejected
        self._tell(sent)
        if overtaken and sent.rejected and not self._others(sent):
            before = self._rows()
            self._say(sent, Verdict.ACCEPTED)
            assert self._rows() == before

    # Once: what is cancelled has no more story to tell.
    @precondition(lambda self: len(self.notifications) == MOST and not self.cancelled)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.cancelled = True
        notification_id = data.draw(st.sampled_from(self.notifications))
        answer = self.store.cancel(notification_id)
        assert answer is not None
        routes = [r for r in self._rows().values() if r["notification_id"] == notification_id]
        assert answer.cancelled + answer.in_flight + answer.ended == len(routes)

    # Once, as cancel.
    @precondition(lambda self: len(self.notifications) == MOST and not self.erased)
    @rule(data=st.data())
    def erase(self, data: st.DataObject) -> None:
        notification_id = data.draw(st.sampled_from(self.notifications))
        before = self._rows()
        self.erased = {
            route_id
            for route_id, row in before.items()
            if row["notification_id"] == notification_id
        }
        answer = next(self.people.erase_user(f"u-{self.notifications.index(notification_id)}", 100))
        after = self._rows()
        live = [r for r in self.erased if after[r]["next_attempt_at"] is not None]
        assert (answer.routes, answer.in_flight) == (len(self.erased), len(live))
        for route_id in live:
            assert before[route_id]["claim_token"] or before[route_id]["doubt_until"]

    @precondition(lambda self: self._is_there("status = 'dead_lettered'"))
    @rule(data=st.data())
    def redrive(self, data: st.DataObject) -> None:
        route_id = data.draw(st.sampled_from(sorted(self.acknowledged)))
        before = self._rows()[route_id]
        answer = redrive_one(self.store, route_id)
        if isinstance(answer, UUID):
            assert before["status"] == "dead_lettered"
            assert not before["held"]
            assert self._rows()[route_id]["attempts"] == 0
        if before["status"] == "dead_lettered" and route_id in self.erased:
            assert answer is Refusal.ERASED

    # What holds after each step.

    # Hypothesis gives up where a step that was possible is not when it runs the example again.
    @invariant()
    def real_time_does_not_count(self) -> None:
        if time.monotonic() - self.read_at > 1:
            self._advance(0)

    @invariant()
    def every_acknowledged_route_is_there_in_one_state(self) -> None:
        assert self._rows().keys() == self.acknowledged

    @invariant()
    def a_row_says_what_the_table_says(self) -> None:
        for row in self._rows().values():
            most = row["max_attempts"] or 3
            assert 0 <= row["attempts"] <= most
            assert row["claims"] >= row["attempts"]
            assert (row["next_attempt_at"] is None) == (
                row["status"] in ("published", "dead_lettered", "skipped", "cancelled")
            )
            assert row["open_letters"] == (1 if row["status"] == "dead_lettered" else 0)

    @invariant()
    def a_route_is_found_by_its_person_and_by_nobody_else(self) -> None:
        assert misfiled(self.connection) == []

    @invariant()
    def a_route_has_one_live_lease_at_most(self) -> None:
        rows = self._rows()
        tokens = [
            (claim.route_id, claim.token)
            for held in (*self.hands, *self.done)
            for claim in held.claims
            if rows[claim.route_id]["claim_token"] == claim.token and held.until > self.now
        ]
        assert len({route_id for route_id, _ in tokens}) == len(tokens)

    # How it is done.

    def _send(self, claim: Claim, kind: str) -> Outcome:
        """Be the provider for one send; a second one must have had its reason."""
        route_id = claim.route_id
        assert is_known(claim), "sent to a person who was erased before it was claimed"
        assert not self.known.get(route_id), "sent again, and it was known"
        earlier = [sent for sent in self.sent if sent.claim.route_id == route_id]
        live = [sent for sent in earlier if not sent.rejected]
        assert not live or route_id in self.unheard or self._late(route_id), "sent again"
        assert all(sent.at + HOLD <= self.now for sent in live), "sent again within the hold"
        if kind in ("deliver", "ambiguous"):
            self.sent.append(Sent(claim, f"m-{len(self.sent)}", self.now))
        if kind in ("ambiguous", "lost"):
            self.unheard.add(route_id)
        match kind:
            case "deliver":
                return Delivered(message_id=self.sent[-1].message_id)
            case "fail":
                return Failed(error="no luck")
            case "permanent":
                return Permanent(error="no")
            case "throttle":
                return Throttled(resource=CHANNEL, error="too fast")
        return Ambiguous(error="no answer")

    def _late(self, route_id: UUID) -> bool:
        """Tell whether a worker still holds an acceptance, over the end of its lease."""
        return any(
            held.until <= self.now and any(c.route_id == route_id for c in held.claims)
            for held in self.done
        )

    def _rejected(self, delivered: Delivered) -> bool:
        return any(s.rejected for s in self.sent if s.message_id == delivered.message_id)

    def _tell(self, sent: Sent) -> None:
        route_id = sent.claim.route_id
        before = self._rows()[route_id]
        self._say(sent, Verdict.NOT_SENT if sent.rejected else Verdict.ACCEPTED)
        after = self._rows()[route_id]
        if not sent.rejected:
            self.known.setdefault(route_id, set()).add(sent.message_id)
            assert after["status"] in ("published", "cancelled", "skipped")
        else:
            self.known.get(route_id, set()).discard(sent.message_id)
        if before["status"] in ("cancelled", "skipped"):
            assert after == before

    def _say(self, sent: Sent, known: Verdict) -> None:
        feedback = Feedback(
            route_id=sent.claim.route_id,
            claim=sent.claim.claims,
            message_id=sent.message_id,
            known=known,
            error="SES Reject",
        )
        self.store.record_feedback(feedback)

    def _others(self, sent: Sent) -> list[Sent]:
        """Return what else of a route was accepted, and not rejected."""
        return [
            other
            for other in self.sent
            if other.claim.route_id == sent.claim.route_id and not other.rejected
        ]

    def _submit(self, routes: int, attempts: int, expires_in: float, *, at_once: bool) -> None:
        user_id = f"u-{len(self.notifications)}"
        new = [
            a_route(route_id=self._id(), claimed=at_once, user_id=user_id) for _ in range(routes)
        ]
        answer = stored(
            self.store,
            a_notification(new, max_attempts=attempts, expires_in=expires_in),
            a_lease(LEASE),
        )
        # Each is due a little later than the one before it, so that the oldest is always the same.
        self.connection.execute(
            "update dovecote.notification_routes"
            " set next_attempt_at = next_attempt_at + position * interval '1 microsecond'"
            " where notification_id = %s",
            (answer.notification_id,),
        )
        self.notifications.append(answer.notification_id)
        self.acknowledged |= {route.route_id for route in answer.routes}
        if answer.claims:
            self._hold(list(answer.claims))

    def _is_there(self, which: str) -> bool:
        query = f"select 1 from dovecote.notification_routes where {which} limit 1"  # noqa: S608
        return self.connection.execute(query.encode()).fetchone() is not None

    def _advance(self, seconds: float) -> None:
        """Let so many seconds pass, with the real time since the last call taken back."""
        read_at = time.monotonic()
        seconds -= read_at - self.read_at
        self.read_at = read_at
        for table, columns in TIMES.items():
            moved = ", ".join(f"{c} = {c} - make_interval(secs => {seconds})" for c in columns)
            self.connection.execute(f"update dovecote.{table} set {moved}".encode())  # noqa: S608

    def _hold(self, claims: list[Claim]) -> None:
        if claims:
            ordered = sorted(claims, key=lambda claim: claim.route_id)
            self.hands.append(Held(claims=ordered, until=self.now + LEASE))

    def _id(self) -> UUID:
        """Return ids that are the same whenever an example is run again."""
        self.ids += 1
        return UUID(int=self.ids)

    def _rows(self) -> dict[UUID, dict[str, Any]]:
        rows = self.connection.execute(
            "select r.*, coalesce(doubt_until > clock_timestamp(), false) as held,"
            " (select count(*) from dovecote.notification_dead_letters d"
            "  where d.route_id = r.route_id and closed_at is null)::integer as open_letters"
            " from dovecote.notification_routes r"
        ).fetchall()
        return {row["route_id"]: row for row in rows}

    def _everything_ends(self) -> None:
        """With the faults off, what was acknowledged ends."""
        for _ in range(12):
            if not any(row["next_attempt_at"] for row in self._rows().values()):
                return
            self.clock(4000.0)
            a_dispatch(self.store, ScriptedChannel(answer=_accept), holds=HOLDS)(lambda: 90.0)
        raise AssertionError("something does not end")


def _accept(claim: Claim) -> Outcome:
    assert is_known(claim), "sent to a person who was erased"
    return accept(claim)


def is_known(claim: Claim) -> bool:
    """Return whether a claim still has all that it was stored with of its person."""
    addressed = a_route().address is not None
    return claim.user_id is not None and (claim.address is not None) == addressed


def assert_promises_hold(url: str, examples: int) -> None:
    """Play so many lives on a database."""
    run_state_machine_as_test(
        type("LifeHere", (Life,), {"url": url}),
        settings=settings(
            max_examples=examples,
            stateful_step_count=60,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


def test_the_promises_hold_whatever_happens_in_whatever_order(database_url: str) -> None:
    assert_promises_hold(database_url, examples=60)
