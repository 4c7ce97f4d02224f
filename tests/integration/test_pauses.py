"""Pauses: told to all workers, tried by one, and no attempt burns behind them."""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from dovecote.channels import NAMES, lanes
from dovecote.core.channel_state import ChannelState, Pause
from dovecote.core.claim import Claim
from dovecote.core.errors import StoreUnavailable
from dovecote.core.outcome import Ambiguous, Delivered, Failed, Outcome, Throttled, Unavailable
from dovecote.dispatch.deliver import Delivery
from dovecote.dispatch.pauses import Pauses
from dovecote.dispatch.sending.circuit_breaker import MOST_REFUSED, CircuitBreaker
from dovecote.store.database import Database
from local.provider import Fault, Running
from tests.builders import (
    CHANNEL,
    RecordingLog,
    ScriptedChannel,
    a_dispatch,
    a_lease,
    a_notification,
    a_route,
    a_submission,
    accept,
    claim_all,
    forever,
    middle,
    store_routes,
    stored,
)
from tests.functions import Functions
from tests.sending import channel_body, kind_of, order
from tests.store import Store

Connection = psycopg.Connection[Any]
SHOP, NEWS = f"{CHANNEL}/shop.example", f"{CHANNEL}/news.example"
HOLDS = dict.fromkeys(NAMES, 0.0)
FAST = Throttled(resource=CHANNEL, error="fast")
PAUSED = Unavailable(resource=CHANNEL, error="paused")
OFF = Unavailable(resource=CHANNEL, error="off")
DENIED = Unavailable(resource=SHOP, error="AccessDenied")


def pause(
    store: Store,
    resource: str = CHANNEL,
    *,
    base: float = 2,
    most: float = 300,
    jitter: float = 1,
) -> Pause | None:
    return store.pause(resource, "e", base=base, most=most, jitter=jitter)


def pass_the_pause(connection: Connection) -> None:
    """Let all pauses, and all trials, be over."""
    connection.execute(
        "update dovecote.channel_state set paused_until = clock_timestamp(),"
        " trying_until = least(trying_until, clock_timestamp()) where paused_until is not null"
    )


def state(connection: Connection, resource: str = CHANNEL) -> Sequence[Any]:
    row = connection.execute(
        "select * from dovecote.channel_state where resource = %s", (resource,)
    ).fetchone()
    assert row is not None
    return row


def has_failures(store: Store) -> tuple[int, set[uuid.UUID]]:
    channel_state = store.channel_state(CHANNEL)
    return channel_state.unreached, set(channel_state.unanswered)


# A pause.


def test_the_channels_stand_well_at_first(store: Store) -> None:
    for channel in NAMES:
        state = store.channel_state(channel)
        assert abs(state.at - time.time()) < 60
        assert state == ChannelState(channel=channel, at=state.at, rate_is_old=True)


def test_a_pause_is_told_to_all_who_look(store: Store) -> None:
    told = pause(store, base=100)
    assert told is not None
    assert (told.resource, told.in_a_row) == (CHANNEL, 1)
    assert 99 < told.seconds <= 100
    channel_state = store.channel_state(CHANNEL)
    assert (channel_state.paused, channel_state.recovering) == ({CHANNEL}, set())
    assert 90 < channel_state.paused_for <= 100
    assert [store.channel_state(other).paused for other in NAMES[1:]] == [set()] * len(NAMES[1:])


def test_a_pause_of_one_identity_is_not_one_of_its_channel(store: Store) -> None:
    told = pause(store, SHOP, base=100)
    assert told is not None
    assert (told.resource, told.in_a_row) == (SHOP, 1)
    channel_state = store.channel_state(CHANNEL)
    assert (channel_state.paused, channel_state.paused_for) == ({SHOP}, 0)


@pytest.mark.parametrize("resource", [CHANNEL, SHOP])
def test_a_second_pause_while_it_is_paused_changes_nothing(
    store: Store, connection: Connection, resource: str
) -> None:
    pause(store, resource)
    before = state(connection, resource)
    assert pause(store, resource, base=100) is None
    assert state(connection, resource) == before


@pytest.mark.parametrize("resource", [CHANNEL, SHOP])
def test_pauses_in_a_row_double_up_to_the_most(
    store: Store, connection: Connection, resource: str
) -> None:
    told = []
    for _ in range(9):
        one = pause(store, resource)
        assert one is not None
        told.append((one.in_a_row, round(one.seconds)))
        pass_the_pause(connection)
    assert told == [
        (1, 2), (2, 4), (3, 8), (4, 16), (5, 32), (6, 64), (7, 128), (8, 256), (9, 300),
    ]  # fmt: skip


def test_a_pause_has_its_jitter_beyond_the_most_too(store: Store) -> None:
    told = [pause(store, r, base=400, most=300, jitter=1.2) for r in (CHANNEL, SHOP)]
    assert [round(one.seconds) for one in told if one] == [360, 360]


def test_pauses_in_a_row_have_no_end_and_no_overflow(store: Store, connection: Connection) -> None:
    connection.execute("update dovecote.channel_state set in_a_row = 1000000")
    told = pause(store)
    assert told is not None
    assert (told.in_a_row, round(told.seconds)) == (1_000_001, 300)


def test_of_many_that_pause_it_at_once_one_does(store: Store, database_url: str) -> None:
    for resource in (CHANNEL, SHOP):
        told = at_once(database_url, lambda own, resource=resource: pause(own, resource))
        assert [one is not None for one in sorted(told, key=bool)] == [False] * 7 + [True]
        assert store.channel_state(CHANNEL).paused >= {resource}


# After it.


def test_what_is_paused_is_not_tried(store: Store) -> None:
    pause(store)
    assert not store.acquire_probe(CHANNEL, 10)


def test_what_has_never_paused_is_not_tried(store: Store) -> None:
    assert not store.acquire_probe(CHANNEL, 10)
    assert not store.acquire_probe(SHOP, 10)


def test_after_its_pause_it_is_one_s_to_try(store: Store, connection: Connection) -> None:
    pause(store)
    pass_the_pause(connection)
    assert store.channel_state(CHANNEL).recovering == {CHANNEL}
    assert store.acquire_probe(CHANNEL, 100)
    assert not store.acquire_probe(CHANNEL, 100)
    channel_state = store.channel_state(CHANNEL)
    assert (channel_state.paused, channel_state.recovering) == ({CHANNEL}, set())
    assert 90 < channel_state.paused_for <= 100


def test_of_many_that_would_try_it_at_once_one_may(
    store: Store, connection: Connection, database_url: str
) -> None:
    pause(store)
    pass_the_pause(connection)
    may = at_once(database_url, lambda own: own.acquire_probe(CHANNEL, 10))
    assert Counter(may) == {True: 1, False: 7}


def test_who_tried_it_and_was_not_heard_of_leaves_it_to_another(
    store: Store, connection: Connection
) -> None:
    pause(store)
    pass_the_pause(connection)
    assert store.acquire_probe(CHANNEL, 0)
    assert store.channel_state(CHANNEL).recovering == {CHANNEL}
    assert store.acquire_probe(CHANNEL, 10)


def test_who_had_nothing_to_try_it_with_leaves_it_to_another(
    store: Store, connection: Connection
) -> None:
    pause(store)
    pass_the_pause(connection)
    assert store.acquire_probe(CHANNEL, 10)
    store.release_probe(CHANNEL)
    assert store.channel_state(CHANNEL).recovering == {CHANNEL}
    assert store.acquire_probe(CHANNEL, 10)


def test_what_answers_is_well_again_and_its_next_pause_is_the_first(
    store: Store, connection: Connection
) -> None:
    for _ in range(3):
        pause(store)
        pass_the_pause(connection)
    store.acquire_probe(CHANNEL, 10)
    assert store.resume(CHANNEL)
    channel_state = store.channel_state(CHANNEL)
    assert (channel_state.paused, channel_state.recovering, channel_state.paused_for) == (
        set(),
        set(),
        0,
    )
    told = pause(store)
    assert told is not None
    assert (told.in_a_row, round(told.seconds)) == (1, 2)


def test_what_fails_while_it_is_tried_pauses_for_longer(
    store: Store, connection: Connection
) -> None:
    pause(store)
    pass_the_pause(connection)
    store.acquire_probe(CHANNEL, 10)
    told = pause(store)
    assert told is not None
    assert (told.in_a_row, round(told.seconds)) == (2, 4)
    pass_the_pause(connection)
    assert store.acquire_probe(CHANNEL, 10)


def test_what_was_sent_before_a_pause_does_not_end_it(store: Store, connection: Connection) -> None:
    pause(store)
    before = state(connection)
    assert not store.resume(CHANNEL)
    assert state(connection) == before


def test_nothing_is_known_of_a_resource_that_never_paused(store: Store) -> None:
    assert not store.resume(SHOP)
    store.release_probe(SHOP)
    assert store.channel_state(CHANNEL).paused == set()


# What failed in a row.


def test_what_failed_in_a_row_is_counted_for_all_workers(store: Store) -> None:
    first, second = uuid.uuid4(), uuid.uuid4()
    store.record_failures(CHANNEL, unreached=1, unanswered=[first])
    store.record_failures(CHANNEL, unreached=1, unanswered=[second, first])
    assert has_failures(store) == (2, {first, second})
    assert [store.channel_state(other).unreached for other in NAMES[1:]] == [0] * len(NAMES[1:])


def test_no_more_routes_are_remembered_than_tell_an_outage(store: Store) -> None:
    store.record_failures(CHANNEL, unreached=0, unanswered=[uuid.uuid4() for _ in range(1000)])
    assert len(store.channel_state(CHANNEL).unanswered) == 100


def test_an_answer_and_a_pause_begin_the_count_anew(store: Store, connection: Connection) -> None:
    store.record_failures(CHANNEL, unreached=2, unanswered=[uuid.uuid4()])
    assert store.resume(CHANNEL)
    assert has_failures(store) == (0, set())
    store.record_failures(CHANNEL, unreached=2, unanswered=[uuid.uuid4()])
    pause(store)
    assert has_failures(store) == (0, set())


# What a worker tells the others.


def learn(store: Store, breaker: CircuitBreaker, log: RecordingLog | None = None) -> None:
    pauses = Pauses(base=2, most=300, random=middle, log=log or RecordingLog())
    pauses.learn(store, Delivery(results=[], breaker=breaker, pace=10.0))


def answered(store: Store, *outcomes: Outcome, probing: Sequence[str] = ()) -> CircuitBreaker:
    """Return the breaker of a batch, one route an outcome, through the account and the shop."""
    store_routes(store, len(outcomes))
    breaker = CircuitBreaker(store.channel_state(CHANNEL), probing)
    claims = claim_all(store)
    recorded = [
        breaker.record(*one) for one in zip(claims, [(CHANNEL, SHOP)] * 99, outcomes, strict=False)
    ]
    for claim, outcome in zip(claims, recorded, strict=True):
        breaker.decide(claim, outcome)
    return breaker


def test_the_first_of_what_a_batch_heard_is_told_and_logged(
    store: Store, connection: Connection
) -> None:
    log = RecordingLog()
    breaker = answered(store, PAUSED, OFF, DENIED)
    learn(store, breaker, log)
    learn(store, breaker, log)  # by another worker, while it is paused
    assert store.channel_state(CHANNEL).paused == {CHANNEL, SHOP}
    message = ("warning", "notification channel paused")
    assert log.lines == [
        (*message, {"resource": CHANNEL, "seconds": 2.0, "in_a_row": 1, "error": "paused"}),
        (*message, {"resource": SHOP, "seconds": 2.0, "in_a_row": 1, "error": "AccessDenied"}),
    ]


def test_what_was_tried_and_answered_is_resumed_and_logged(
    store: Store, connection: Connection
) -> None:
    pause(store)
    pass_the_pause(connection)
    store.acquire_probe(CHANNEL, 10)
    log = RecordingLog()
    learn(store, answered(store, Failed(error="Unknown (400)"), probing=[CHANNEL]), log)
    assert store.channel_state(CHANNEL).paused == set()
    assert log.lines == [("info", "notification channel resumed", {"resource": CHANNEL})]


def test_what_was_tried_and_not_asked_is_left_to_another(
    store: Store, connection: Connection
) -> None:
    pause(store)
    pass_the_pause(connection)
    store.acquire_probe(CHANNEL, 10)
    log = RecordingLog()
    learn(store, answered(store, Failed(error="no name", asked=False), probing=[CHANNEL]), log)
    assert store.channel_state(CHANNEL).recovering == {CHANNEL}
    assert log.lines == []


def test_a_channel_whose_trial_was_refused_for_one_identity_is_well(
    store: Store, connection: Connection
) -> None:
    pause(store)
    pass_the_pause(connection)
    store.acquire_probe(CHANNEL, 10)
    learn(store, answered(store, DENIED, probing=[CHANNEL]))
    channel_state = store.channel_state(CHANNEL)
    assert (channel_state.paused, channel_state.recovering) == ({SHOP}, set())


@pytest.mark.parametrize(
    ("outcomes", "unreached", "unanswered"),
    [
        # each batch adds what it counted
        ([Failed(error="e", unreached=True)], 2, 2),
        ([Ambiguous(error="e")], 1, 3),
        # an answer in between begins anew: what came after it counts
        ([Delivered(message_id="m")], 0, 0),
        ([Delivered(message_id="m"), Ambiguous(error="e")], 0, 1),
        # what was not asked changes nothing
        ([Failed(error="e", asked=False)], 1, 2),
    ],
)
def test_what_a_batch_counted_is_added_unless_it_had_an_answer(
    store: Store, outcomes: list[Outcome], unreached: int, unanswered: int
) -> None:
    store.record_failures(CHANNEL, unreached=1, unanswered=[uuid.uuid4(), uuid.uuid4()])
    learn(store, answered(store, *outcomes))
    channel_state = store.channel_state(CHANNEL)
    assert (channel_state.unreached, len(channel_state.unanswered)) == (unreached, unanswered)


def test_what_the_store_does_not_take_is_logged_and_does_not_stop_the_run(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable("gone")

    breaker = answered(store, PAUSED)
    monkeypatch.setattr(store, "pause", gone)
    log = RecordingLog()
    learn(store, breaker, log)
    assert log.lines == [("error", "notification channel state not kept", {"error": "gone"})]


# A run behind a pause.


@dataclass
class TwoSenders(ScriptedChannel):
    """A channel whose kinds send from an identity each."""

    def resources(self, claim: Claim) -> Sequence[str]:
        return claim.channel, SHOP if claim.kind == "shop" else NEWS


def store_kind(store: Store, kind: str, count: int) -> set[uuid.UUID]:
    routes = [a_route() for _ in range(count)]
    stored(store, a_notification(routes, submission=a_submission(kind=kind)))
    return {route.route_id for route in routes}


def routes(connection: Connection) -> Counter[Any]:
    """Count the routes by kind, status and attempts."""
    return Counter(
        connection.execute(
            "select kind, status, attempts from dovecote.notification_routes"
            " join dovecote.notifications using (notification_id)"
        ).fetchall()
    )


def shortly() -> float:
    """Leave a run the time of a send, and none to wait for a pause."""
    return 4.0


def shop_is_off(claim: Claim) -> Outcome:
    if claim.kind == "shop":
        return Unavailable(resource=SHOP, error="AccessDenied")
    return accept(claim)


def test_a_paused_identity_defers_its_routes_to_the_end_of_its_pause_and_burns_no_attempt(
    store: Store, connection: Connection
) -> None:
    shop, news = store_kind(store, "shop", 5), store_kind(store, "news", 5)
    channel = TwoSenders(answer=shop_is_off)
    tally = a_dispatch(store, channel)(shortly)
    assert (tally["claimed"], tally["published"], tally["given_back"]) == (10, 5, 5)
    assert routes(connection) == {("news", "published", 1): 5, ("shop", "pending", 0): 5}
    assert len(shop & set(channel.asked)) == MOST_REFUSED
    assert news < set(channel.asked)
    # Those that were refused come after the others.
    assert connection.execute(
        "select r.next_attempt_at - s.paused_until, r.waiting_for, r.waiting_since < now(),"
        "  r.refusals, r.last_error, count(*)"
        " from dovecote.notification_routes r, dovecote.channel_state s"
        " where s.resource = %s and r.status = 'pending'"
        " and r.claim_token is null and r.claims = 1 group by 1, 2, 3, 4, 5 order by 1",
        (SHOP,),
    ).fetchall() == [
        (timedelta(0), SHOP, True, None, None, 2),
        (timedelta(seconds=2), SHOP, True, 1, "AccessDenied", 3),
    ]


def test_however_often_an_identity_pauses_its_routes_keep_their_attempts(
    store: Store, connection: Connection
) -> None:
    shop = store_kind(store, "shop", 3)
    channel = TwoSenders(answer=shop_is_off)
    for _ in range(6):
        a_dispatch(store, channel)(shortly)
        pass_the_pause(connection)
        make_due(connection)
    # all three probe it after each pause
    assert len(channel.asked) == 18
    assert set(channel.asked) <= shop
    assert routes(connection) == {("shop", "pending", 0): 3}
    a_dispatch(store, TwoSenders())(forever)
    assert routes(connection) == {("shop", "published", 1): 3}
    assert store.channel_state(CHANNEL).paused | store.channel_state(CHANNEL).recovering == set()


def make_due(connection: Connection) -> None:
    connection.execute(
        "update dovecote.notification_routes set next_attempt_at = clock_timestamp()"
        " where next_attempt_at > clock_timestamp()"
    )


def test_a_deferred_route_is_due_at_the_latest_when_it_expires(
    store: Store, connection: Connection
) -> None:
    submission = a_submission(kind="shop")
    stored(store, a_notification(submission=submission, expires_in=1))
    a_dispatch(store, TwoSenders(answer=shop_is_off))(shortly)
    assert connection.execute(
        "select next_attempt_at = expires_at, status from dovecote.notification_routes"
    ).fetchone() == (True, "pending")


def test_a_lapsed_route_that_meets_a_pause_goes_back_as_lapsed(
    store: Store, connection: Connection
) -> None:
    store_kind(store, "shop", 1)
    claim_all(store, seconds=0)
    a_dispatch(store, TwoSenders(answer=shop_is_off))(shortly)
    assert connection.execute(
        "select attempts, claims, claim_token is not null, leased_until <= clock_timestamp(),"
        " doubt_until <= clock_timestamp() from dovecote.notification_routes"
    ).fetchone() == (1, 2, True, True, True)


def test_the_first_answer_of_a_paused_account_stops_the_batch_and_one_route_probes_it_later(
    store: Store, connection: Connection
) -> None:
    store_routes(store, 20)
    answers = iter([PAUSED])
    channel = ScriptedChannel(answer=lambda claim: next(answers, None) or accept(claim))
    slept: list[int] = []

    def sleep(_seconds: float) -> None:
        """Let the pause be over; nothing was sent meanwhile."""
        slept.append(len(channel.asked))
        pass_the_pause(connection)

    log = RecordingLog()
    tally = a_dispatch(store, channel, sleep=sleep, log=log)(forever)
    assert slept == [1]
    # Another batch may have been claimed beside it: it is given back without a send.
    assert tally["claimed"] - tally["given_back"] == tally["published"] == 20
    assert tally["given_back"] in (20, 40)
    assert routes(connection) == {("order.shipped", "published", 1): 20}
    assert [line[1] for line in log.lines] == [
        "notification channel paused", "notification channel resumed",
    ]  # fmt: skip


@pytest.mark.channels("email", "push")
def test_a_pause_of_one_channel_holds_up_no_other(store: Store, connection: Connection) -> None:
    pause(store, base=300)
    store_routes(store, 5)
    store_routes(store, 5, "push")
    channel = ScriptedChannel()
    tally = a_dispatch(store, channel)(forever)
    assert (tally["claimed"], tally["published"]) == (5, 5)
    assert connection.execute(
        "select channel, status, attempts, claims, count(*) from dovecote.notification_routes"
        " group by 1, 2, 3, 4 order by 1"
    ).fetchall() == [("email", "pending", 0, 0, 5), ("push", "published", 1, 1, 5)]


def test_a_worker_does_not_try_what_another_one_tries(store: Store, connection: Connection) -> None:
    store_routes(store, 1)
    pause(store)
    pass_the_pause(connection)
    assert store.acquire_probe(CHANNEL, 89)
    channel = ScriptedChannel()
    assert a_dispatch(store, channel)(forever)["claimed"] == 0
    assert channel.asked == []


def test_a_worker_that_comes_second_to_a_trial_looks_again_a_little_later(
    store: Store, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_routes(store, 1)
    pause(store)
    pass_the_pause(connection)
    acquire_probe, first = store.acquire_probe, iter([False])
    monkeypatch.setattr(
        store, "acquire_probe", lambda *which: next(first, True) and acquire_probe(*which)
    )
    slept: list[float] = []
    tally = a_dispatch(store, ScriptedChannel(), sleep=slept.append)(forever)
    assert tally["published"] == 1
    assert slept == [0.375]  # half a second, by a chance in the middle


def test_a_trial_for_which_nothing_is_due_is_left_to_another(
    store: Store, connection: Connection
) -> None:
    pause(store)
    pass_the_pause(connection)
    assert a_dispatch(store, ScriptedChannel())(forever)["claimed"] == 0
    assert store.channel_state(CHANNEL).recovering == {CHANNEL}


def test_a_provider_that_is_not_there_costs_two_routes_an_attempt_and_pauses(
    store: Store, connection: Connection
) -> None:
    store_routes(store, 10)
    unreached = Failed(error="no route", unreached=True)
    channel = ScriptedChannel(answer=lambda _: unreached)
    run_without_waiting(store, channel)
    assert len(channel.asked) == 3
    assert routes(connection) == {
        ("order.shipped", "retrying", 1): 2,
        ("order.shipped", "pending", 0): 8,
    }
    assert store.channel_state(CHANNEL).paused == {CHANNEL}


def run_without_waiting(store: Store, channel: ScriptedChannel, **more: Any) -> None:
    """Run a dispatcher whose time is over before the pause is."""
    a_dispatch(store, channel, **more)(lambda: 4.5 if channel.asked else 90.0)


def test_what_failed_in_a_row_counts_over_batches_and_workers(
    store: Store, connection: Connection
) -> None:
    store_routes(store, 2)
    channel = ScriptedChannel(answer=lambda _: Failed(error="no route", unreached=True))
    a_dispatch(store, channel, batch_size=1)(lambda: 0.0 if len(channel.asked) == 2 else 90.0)
    assert has_failures(store) == (2, set())
    store_routes(store, 1)
    run_without_waiting(store, channel, batch_size=1)
    assert store.channel_state(CHANNEL).paused == {CHANNEL}
    assert routes(connection) == {
        ("order.shipped", "retrying", 1): 2,
        ("order.shipped", "pending", 0): 1,
    }


@pytest.mark.parametrize(
    ("hold", "last"),
    [
        # it may have been accepted, and its event may follow
        (300.0, ("order.shipped", "retrying", 0)),
        # no event will
        (0.0, ("order.shipped", "pending", 0)),
    ],
)
def test_five_routes_without_an_answer_pause_their_channel_and_the_last_keeps_its_attempt(
    store: Store, connection: Connection, hold: float, last: tuple[str, str, int]
) -> None:
    store_routes(store, 10)
    channel = ScriptedChannel(answer=lambda _: Ambiguous(error="lost"))
    run_without_waiting(store, channel, holds=HOLDS | {CHANNEL: hold})
    assert len(channel.asked) == 5
    expected = Counter({("order.shipped", "retrying", 1): 4, ("order.shipped", "pending", 0): 5})
    expected[last] += 1
    assert routes(connection) == expected
    assert store.channel_state(CHANNEL).paused == {CHANNEL}


def test_one_route_that_gets_no_answer_pauses_nothing_and_ends(
    store: Store, connection: Connection
) -> None:
    store_routes(store, 1, max_attempts=8)
    channel = ScriptedChannel(answer=lambda _: Ambiguous(error="lost"))
    for _ in range(8):
        a_dispatch(store, channel)(forever)
        make_due(connection)
    assert routes(connection) == {("order.shipped", "dead_lettered", 8): 1}
    assert store.channel_state(CHANNEL).paused == set()


# By the functions.


def test_a_throttled_route_is_answered_202_and_sent_soon_at_its_first_attempt(
    functions: Functions, connection: Connection, store: Store, provider: Running
) -> None:
    order(provider, Fault.THROTTLE, times=1)
    answer = functions.post(channel_body())
    assert answer.status == 202
    (route,) = answer.body["routes"]
    assert (route["status"], route["attempts"], route["last_error"]) == ("pending", 0, None)
    assert store.channel_state(CHANNEL).paused == set()
    time.sleep(0.75)  # a throttled route is due again in 0.25 to 0.75 s
    tally = functions.dispatch()
    assert (tally["claimed"], tally["published"]) == (1, 1)
    assert routes(connection) == {(kind_of(), "published", 1): 1}


def test_a_run_waits_for_its_last_route_where_that_was_throttled(
    store: Store, connection: Connection
) -> None:
    store_routes(store, 5)
    answers = iter([FAST])
    channel = ScriptedChannel(answer=lambda claim: next(answers, None) or accept(claim))
    tally = a_dispatch(store, channel, clock=time.monotonic)(forever)
    assert (tally["published"], tally["given_back"]) == (5, 1)
    assert routes(connection) == {("order.shipped", "published", 1): 5}
    assert store.channel_state(CHANNEL).paused == set()


def test_a_provider_that_throttles_all_is_paused_for_longer_each_time(
    store: Store, connection: Connection
) -> None:
    store_routes(store, 40)
    channel = ScriptedChannel(answer=lambda _: FAST)
    pauses: list[float] = []

    def sleep(_seconds: float) -> None:
        """Let the pause and the delays be over."""
        if CHANNEL in store.channel_state(CHANNEL).paused:
            pauses.append(store.channel_state(CHANNEL).paused_for)
            pass_the_pause(connection)
        make_due(connection)
        time.sleep(0.01)

    ends = time.monotonic() + 60
    a_dispatch(store, channel, clock=time.monotonic, sleep=sleep)(
        lambda: ends - time.monotonic() if len(pauses) < 3 else 0.0
    )
    assert pauses == pytest.approx([2, 4, 8], rel=0.1)
    # five refusals until it pauses, then one probe for each pause
    assert len(channel.asked) <= 5 + 2
    assert routes(connection) == {("order.shipped", "pending", 0): 40}


def test_submit_tries_nothing_behind_a_pause_nor_right_after_it(
    functions: Functions, connection: Connection, store: Store, provider: Running
) -> None:
    pause(store)
    for key in ("behind", "after"):
        answer = functions.post(channel_body(idempotency_key=key))
        (route,) = answer.body["routes"]
        assert (answer.status, route["status"], route["attempts"]) == (202, "pending", 0)
        pass_the_pause(connection)
    assert provider.provider.ledger.attempts == []
    assert functions.dispatch()["published"] == 2


# What expires behind a pause.


@pytest.mark.channels("email", "push")
def test_what_expires_behind_a_paused_channel_ends_without_a_send(
    store: Store, connection: Connection
) -> None:
    store_routes(store, 250, expires_in=0)
    store_routes(store, 5)
    store_routes(store, 5, "push", expires_in=3600)
    pause(store, base=300)
    channel = ScriptedChannel()
    tally = a_dispatch(store, channel)(forever)
    assert (tally["claimed"], tally["dead_lettered"], tally["published"]) == (255, 250, 5)
    assert reasons(connection) == {("expired", 0): 250}
    assert connection.execute(
        "select count(*) from dovecote.notification_routes"
        " where channel = 'email' and status = 'pending' and claims = 0"
    ).fetchone() == (5,)


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        # a lease that ran out, its hold over: it may have been accepted
        (False, {("ambiguous", 1): 1}),
        # an event may still come
        (True, {}),
    ],
)
def test_what_expires_in_doubt_behind_a_paused_channel_ends_when_its_hold_is_over(
    store: Store, connection: Connection, held: bool, expected: dict[Any, int]
) -> None:
    store_routes(store, 1)
    claim_all(store, seconds=0)
    connection.execute("update dovecote.notification_routes set expires_at = created_at")
    pause(store, base=300)
    hold = 60.0 if held else 0.0
    holds = HOLDS | {CHANNEL: hold}
    a_dispatch(store, ScriptedChannel(), holds=holds)(forever)
    assert reasons(connection) == expected


def test_what_somebody_delivers_is_not_ended_behind_the_pause(store: Store) -> None:
    store_routes(store, 1, expires_in=0)
    claim_all(store, seconds=60)
    numbers = [lane.number for lane in lanes.ALL]
    assert not store.claim_expired(numbers, a_lease(), hold=0, limit=100)


def reasons(connection: Connection) -> Counter[Any]:
    return Counter(
        connection.execute(
            "select reason, attempts from dovecote.notification_dead_letters"
        ).fetchall()
    )


def at_once(database_url: str, ask: Callable[[Store], Any]) -> list[Any]:
    """Ask the same of eight stores, each on a connection of its own, in the same moment."""
    answers: list[Any] = []
    barrier = threading.Barrier(8)

    def work() -> None:
        with psycopg.connect(database_url, autocommit=True) as own:
            barrier.wait(30)
            answers.append(ask(Store(Database(lambda: own), default_max_attempts=5)))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    return answers


def test_what_expired_behind_a_pause_and_is_on_record_as_accepted_is_published(
    store: Store, connection: Connection
) -> None:
    store_routes(store, 2)
    accepted, other = claim_all(store, seconds=0)
    with store.transaction() as transaction:
        transaction.record_acceptances({accepted.route_id: "m-1"})
    connection.execute("update dovecote.notification_routes set expires_at = clock_timestamp()")
    pause(store, base=300)
    tally = a_dispatch(store, ScriptedChannel())(forever)
    assert (tally["published"], tally["dead_lettered"]) == (1, 1)
    assert connection.execute(
        "select route_id, status, provider_message_id from dovecote.notification_routes"
        " order by status"
    ).fetchall() == [
        (other.route_id, "dead_lettered", None),
        (accepted.route_id, "published", "m-1"),
    ]


def test_a_connection_that_ended_inside_a_transaction_is_out_of_reach_and_not_refused(
    database_url: str,
) -> None:
    database = Database(lambda: psycopg.connect(database_url, autocommit=True))

    def stand_still_inside() -> None:
        with database.transaction() as own:
            own.execute("set idle_in_transaction_session_timeout = '50ms'")
            time.sleep(0.3)
            own.execute("select 1")

    with pytest.raises(StoreUnavailable):
        stand_still_inside()
    database.close()
