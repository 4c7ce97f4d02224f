"""Pacing: all workers share one line of slots, which congestion slows down for a while."""

import random
import threading
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from psycopg import sql

from dovecote.channels import NAMES
from dovecote.core.channel_state import ChannelState, Congested, SendSlots
from dovecote.core.errors import ProviderUnavailable
from dovecote.dispatch.services import Rates
from dovecote.store.database import Database
from dovecote.store.dispatch.dispatch_store import PostgresInlineStore
from local.provider import Running
from tests.builders import (
    CHANNEL,
    RecordingLog,
    ScriptedChannel,
    a_dispatch,
    channels_of,
    forever,
    store_routes,
)
from tests.functions import Functions
from tests.sending import channel_body
from tests.store import Store

Connection = psycopg.Connection[Any]


@pytest.fixture
def paced(store: Store) -> Store:
    """The store, with one send a second: slow enough for a busy machine to keep its slots."""
    store.set_rate(CHANNEL, 1)
    return store


@pytest.fixture
def quick(store: Store) -> Store:
    """The store, with ten sends a second."""
    store.set_rate(CHANNEL, 10)
    return store


def pause(store: Store) -> None:
    assert store.pause(CHANNEL, "e", base=2, most=300, jitter=1)


def pass_the_pause(connection: Connection) -> None:
    connection.execute("update dovecote.channel_state set paused_until = clock_timestamp()")


def later(connection: Connection, seconds: float, column: str = "next_slot_at") -> None:
    """Let so many seconds pass for a column."""
    passed = sql.SQL("update dovecote.channel_state set {0} = {0} - make_interval(secs => %s)")
    connection.execute(passed.format(sql.Identifier(column)), (seconds,))


# Slots.


def test_a_channel_without_a_rate_has_none(store: Store) -> None:
    assert [store.channel_state(channel).rate for channel in NAMES] == [None] * len(NAMES)


def test_the_first_slot_is_now_and_each_other_one_later(paced: Store) -> None:
    slots = paced.reserve(CHANNEL, 5, 20)
    assert (slots.room, slots.wait) == (5, 0)
    assert slots.spacing == pytest.approx(1)


def test_a_free_line_is_never_waited_for(paced: Store, connection: Connection) -> None:
    free = "update dovecote.channel_state set next_slot_at = clock_timestamp() - interval '1 s'"
    waits = set()
    for _ in range(300):
        connection.execute(free)
        waits.add(paced.reserve(CHANNEL, 1, 20).wait)
    assert waits == {0}


def test_the_next_to_reserve_comes_after_the_last(paced: Store) -> None:
    first = paced.reserve(CHANNEL, 5, 20)
    second = paced.reserve(CHANNEL, 5, 20)
    assert 3 < second.wait <= 5
    assert second.slots == after(first, 5)


def after(slots: SendSlots, seconds: float) -> datetime:
    assert slots.slots is not None
    return slots.slots + timedelta(seconds=seconds)


def test_nothing_is_reserved_beyond_the_horizon(paced: Store) -> None:
    assert paced.reserve(CHANNEL, 100, 20).room == 20
    assert paced.reserve(CHANNEL, 100, 20).room <= 2  # for the time that passed
    none = paced.reserve(CHANNEL, 100, 10)
    assert (none.room, none.wait > 10) == (0, True)


def test_what_passed_unused_is_not_made_up_for(paced: Store, connection: Connection) -> None:
    paced.reserve(CHANNEL, 20, 20)
    later(connection, 3600)
    slots = paced.reserve(CHANNEL, 100, 20)
    assert (slots.room, slots.wait) == (20, 0)


def test_a_slow_rate_has_room_for_one(store: Store) -> None:
    store.set_rate(CHANNEL, 0.1)
    slots = store.reserve(CHANNEL, 100, 2)
    assert (slots.room, slots.wait, slots.spacing) == (1, 0, pytest.approx(10))
    assert store.reserve(CHANNEL, 100, 2).room == 0


def test_many_at_once_never_overlap(database_url: str, store: Store) -> None:
    rate = 500.0
    store.set_rate(CHANNEL, rate)
    reserved: list[SendSlots] = []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        with psycopg.connect(database_url, autocommit=True) as own:
            mine = Store(Database(lambda: own), default_max_attempts=5)
            reserved.extend(mine.reserve(CHANNEL, chance.randint(1, 40), 2) for _ in range(25))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = [slots for slots in reserved if slots.room]
    assert {round(slots.spacing, 9) for slots in reserved} == {1 / rate}
    assert sum(slots.room for slots in taken) >= 1000
    assert_apart(taken, timedelta(seconds=1 / rate))


def assert_apart(reserved: list[SendSlots], spacing: timedelta) -> None:
    """Assert that no two slots of any reservations are closer than the spacing."""
    begins: list[datetime] = []
    for slots in reserved:
        assert slots.slots is not None
        begins += [slots.slots - (place + 1) * spacing for place in range(slots.room)]
    begins.sort()
    rounding = timedelta(microseconds=50)
    assert all(after - before >= spacing - rounding for before, after in pairwise(begins))


# Slots given back.


def test_what_is_not_used_of_the_last_reservation_is_the_next_one_s(
    paced: Store,
) -> None:
    slots = paced.reserve(CHANNEL, 10, 20)
    paced.release_slots(CHANNEL, slots, 4)
    assert paced.reserve(CHANNEL, 1, 20).slots == after(slots, -3)


def test_what_is_given_back_after_another_reserved_stays_unused(paced: Store) -> None:
    first = paced.reserve(CHANNEL, 10, 20)
    second = paced.reserve(CHANNEL, 5, 20)
    paced.release_slots(CHANNEL, first, 10)
    assert paced.reserve(CHANNEL, 1, 20).slots == after(second, 1)


def test_slots_are_given_back_once(paced: Store) -> None:
    slots = paced.reserve(CHANNEL, 10, 20)
    for _ in range(3):
        paced.release_slots(CHANNEL, slots, 2)
    assert paced.reserve(CHANNEL, 1, 20).slots == after(slots, -1)


def test_a_run_gives_back_what_it_found_nothing_for(store: Store, connection: Connection) -> None:
    store_routes(store, 3)
    a_dispatch(store, ScriptedChannel(), rate=10)(forever)
    # three sends of a tenth of a second, of twenty that were reserved, twice
    assert connection.execute(
        "select next_slot_at < clock_timestamp() + interval '0.3 seconds'"
        " from dovecote.channel_state where resource = %s",
        (CHANNEL,),
    ).fetchone() == (True,)


# Slowed down.

NONE = {
    "accepted_requests": 0, "throttled_requests": 0, "accepted_entries": 0, "throttled_entries": 0,
}  # fmt: skip


def congest(
    store: Store, *, pace: float = 10, accepted_share: float = 0.8, probing: bool = False
) -> float | None:
    """Have a batch find congestion; return what the channel is slowed down to."""
    since = store.channel_state(CHANNEL).throttling.since
    congested = Congested(pace=pace, accepted_share=accepted_share, probing=probing, since=since)
    counts = {**NONE, "accepted_requests": 5, "throttled_requests": 3}
    return store.record_throttling(CHANNEL, counts, congested)


def pace_after(store: Store, connection: Connection, seconds: float) -> float:
    """Return the sends a second, so many seconds after congestion."""
    connection.execute(
        "update dovecote.channel_state set next_slot_at = null,"
        " slowed_at = clock_timestamp() - make_interval(secs => %s)",
        (seconds,),
    )
    return 1 / store.reserve(CHANNEL, 1, 2).spacing


def test_congestion_lowers_the_pace_by_the_share_that_was_refused(
    quick: Store, connection: Connection
) -> None:
    assert congest(quick, accepted_share=0.8) == pytest.approx(8)
    assert pace_after(quick, connection, 0) == pytest.approx(8 * 0.95, rel=0.01)


def test_the_pace_returns_to_what_worked_then_probes_and_outgrows_the_rate(
    quick: Store, connection: Connection
) -> None:
    congest(quick, accepted_share=0.8)
    paces = [pace_after(quick, connection, seconds) for seconds in (6, 12, 12.5, 13, 60)]
    assert paces == pytest.approx([7.8, 8, 8.8, 9.6, 10], rel=0.01)


def test_a_fast_pace_returns_within_seconds(store: Store, connection: Connection) -> None:
    store.set_rate(CHANNEL, 100)
    congest(store, pace=100, accepted_share=0.9)
    assert pace_after(store, connection, 3) == pytest.approx(90, rel=0.01)
    assert pace_after(store, connection, 4) == pytest.approx(100, rel=0.01)


def test_few_answers_lower_the_pace_by_three_tenths_at_most(quick: Store) -> None:
    assert congest(quick, accepted_share=0.1) == pytest.approx(7)


def test_the_pace_falls_no_lower_than_one_in_two_seconds(quick: Store) -> None:
    slowed = [congest(quick, pace=pace, accepted_share=0) for pace in (2, 1, 0.5, 0.5)]
    assert slowed == pytest.approx([1.4, 0.7, 0.5, 0.5])


def test_a_rate_below_that_is_kept(store: Store) -> None:
    store.set_rate(CHANNEL, 0.25)
    congest(store, pace=0.25)
    assert store.reserve(CHANNEL, 1, 2).spacing >= 4


def test_a_refused_probe_keeps_what_worked_before(quick: Store) -> None:
    congest(quick, accepted_share=0.8)
    assert congest(quick, pace=9, accepted_share=0.1, probing=True) == pytest.approx(8 * 0.95)


def test_of_workers_that_met_the_same_congestion_one_lowers_the_pace(quick: Store) -> None:
    batch = Congested(pace=10, accepted_share=0.8, probing=False, since=None)
    slowed = [quick.record_throttling(CHANNEL, NONE, batch) for _ in range(3)]
    assert slowed == [pytest.approx(8), None, None]


def test_nothing_is_sent_for_half_a_second_after_congestion(quick: Store) -> None:
    congest(quick)
    assert 0.3 < quick.reserve(CHANNEL, 1, 2).wait <= 0.5


def test_refusals_are_counted_for_all_workers_and_wear_off_with_acceptances(
    quick: Store,
) -> None:
    quick.record_throttling(
        CHANNEL, {**NONE, "throttled_requests": 2, "throttled_entries": 1}, None
    )
    found = quick.channel_state(CHANNEL).throttling
    assert (found.requests, found.entries, found.limited) == (2, 1, False)
    quick.record_throttling(
        CHANNEL, {**NONE, "accepted_requests": 25, "accepted_entries": 50}, None
    )
    found = quick.channel_state(CHANNEL).throttling
    assert (found.requests, found.entries) == (1, 0)


def test_a_channel_without_a_rate_is_paced_while_it_is_slowed_down(
    store: Store, connection: Connection
) -> None:
    congest(store, pace=50)
    assert store.channel_state(CHANNEL).is_paced
    assert pace_after(store, connection, 3) == pytest.approx(40, rel=0.02)
    later(connection, 3600, "slowed_at")
    assert not store.channel_state(CHANNEL).is_paced
    assert store.reserve(CHANNEL, 7, 2) == SendSlots(room=7)


def test_a_pause_leaves_the_rate_as_it_is(quick: Store) -> None:
    pause(quick)
    assert quick.reserve(CHANNEL, 1, 2).spacing == pytest.approx(0.1)


def test_a_trial_that_has_no_slot_yet_is_left_to_another(
    store: Store, connection: Connection
) -> None:
    store_routes(store, 1)
    store.set_rate(CHANNEL, 1)
    pause(store)
    pass_the_pause(connection)
    connection.execute(
        "update dovecote.channel_state set next_slot_at = clock_timestamp() + interval '5 s'"
    )
    found: list[set[str]] = []

    def sleep(_seconds: float) -> None:
        found.append(set(store.channel_state(CHANNEL).recovering))
        later(connection, 5)

    channel = ScriptedChannel()
    assert a_dispatch(store, channel, sleep=sleep, rate=1)(forever)["published"] == 1
    assert found == [{CHANNEL}]


# The rate.


class Provider:
    """Says how many sends a second it takes, or is out of reach."""

    def __init__(self, rate: float | None) -> None:
        self.rate = rate
        self.asked = 0

    def __call__(self) -> float:
        self.asked += 1
        if self.rate is None:
            raise ProviderUnavailable("EndpointConnectionError")
        return self.rate


class Rated(ScriptedChannel):
    """A channel whose rate is set, or asked of its provider."""

    def __init__(self, provider: Provider) -> None:
        super().__init__()
        self._provider = provider

    def rate(self) -> float | None:
        return self._provider() if self.rate_from_provider else self.per_second


def rates(
    store: Store,
    provider: Provider,
    *,
    fixed: float | None = None,
    log: RecordingLog | None = None,
) -> Rates:
    channels = channels_of(Rated(provider), rate=fixed)
    channels[CHANNEL].rate_from_provider = fixed is None
    return Rates(store=store, channels=channels, log=log or RecordingLog())


def rate_of(using: Rates, store: Store, channel: str = CHANNEL) -> float | None:
    """Ask for the rate as a batch does, and return what is kept of it."""
    said = using.of(store.channel_state(channel))
    assert store.channel_state(channel).rate == said
    return said


def test_a_rate_that_is_set_is_kept_for_all_and_the_provider_is_not_asked(
    store: Store,
) -> None:
    provider = Provider(50)
    using = rates(store, provider, fixed=7)
    assert [rate_of(using, store) for _ in range(3)] == [7, 7, 7]
    assert provider.asked == 0
    # another release, another setting
    assert rate_of(rates(store, provider, fixed=9), store) == 9


def test_the_provider_is_asked_once_in_ten_minutes_for_all_workers(
    store: Store, connection: Connection
) -> None:
    provider = Provider(14)
    for _ in range(3):
        assert rate_of(rates(store, provider), store) == 14
    assert provider.asked == 1
    provider.rate = 50
    later(connection, 599, "rate_asked_at")
    assert rate_of(rates(store, provider), store) == 14
    later(connection, 2, "rate_asked_at")
    assert rate_of(rates(store, provider), store) == 50
    assert provider.asked == 2


def test_a_provider_out_of_reach_is_logged_and_the_last_rate_stays(
    store: Store, connection: Connection
) -> None:
    provider, log = Provider(14), RecordingLog()
    using = rates(store, provider, log=log)
    rate_of(using, store)
    provider.rate = None
    later(connection, 601, "rate_asked_at")
    assert [rate_of(using, store) for _ in range(3)] == [14, 14, 14]
    assert provider.asked == 2  # and not again for ten minutes
    assert log.lines == [
        ("warning", "sending rate not known", {"error": "EndpointConnectionError"})
    ]


def test_a_rate_that_was_never_known_is_none(store: Store) -> None:
    assert rate_of(rates(store, Provider(None)), store) is None


def test_the_rate_of_one_channel_is_not_one_of_the_others(store: Store) -> None:
    provider = Provider(14)
    for other in NAMES[1:]:
        assert rate_of(rates(store, provider, fixed=7), store, other) is None
        assert rate_of(rates(store, provider), store, other) is None
    assert provider.asked == 0


def test_submit_leaves_to_dispatch_what_the_rate_has_no_room_for_at_once(
    functions: Functions, provider: Running, store: Store, connection: Connection
) -> None:
    store.set_rate(CHANNEL, 0.1)
    first, second = (
        functions.post(channel_body(idempotency_key=key)) for key in ("first", "second")
    )
    assert first.body["routes"][0]["status"] == "published"
    (route,) = second.body["routes"]
    assert (second.status, route["status"], route["attempts"]) == (202, "pending", 0)
    assert len(provider.provider.ledger.attempts) == 1
    later(connection, 3600)
    assert functions.dispatch()["published"] == 1


def test_submit_takes_a_slot_for_each_route_that_it_tries_and_no_more(
    functions: Functions, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.set_rate(CHANNEL, 100)
    ready, wanted = PostgresInlineStore.ready, []

    def asked(
        own: PostgresInlineStore, channel: str, count: int, horizon: float
    ) -> tuple[ChannelState, SendSlots]:
        wanted.append((channel, count))
        return ready(own, channel, count, horizon)

    monkeypatch.setattr(PostgresInlineStore, "ready", asked)
    functions.post(channel_body(idempotency_key="one"))
    functions.post(channel_body(idempotency_key="many", count=5))
    assert wanted == [(CHANNEL, 1), (CHANNEL, 2)]
