"""The scheduled run counts the backlog and calls others; nothing of that is felt by the run."""

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dovecote.channels import NAMES
from dovecote.core.errors import StoreUnavailable
from dovecote.core.notification import Priority
from dovecote.core.ports import NotInvoked
from dovecote.dispatch.scale_out import ScaleOut, one_run
from dovecote.store.dispatch.dispatch_store import PostgresDispatchStore
from dovecote.wiring import clients
from local.provider import Running
from tests.builders import (
    CHANNEL,
    RecordingLog,
    a_lease,
    a_notification,
    a_route,
    a_submission,
    claim_all,
    store_routes,
)
from tests.functions import Functions, environment, run_functions
from tests.sending import channel_body, kind_of
from tests.store import Store

Connection = psycopg.Connection[Any]

NAME = "dovecote-dispatch:live"
RUN = one_run(1)
NONE = dict.fromkeys(NAMES, 0)


class Calls(list[str]):
    """What dispatch was called with."""

    def __call__(self, source: str) -> None:
        self.append(source)


def a_scale_out(
    store: Store, invoke: Callable[[str], None], log: RecordingLog, most: int = 8
) -> ScaleOut:
    return ScaleOut(
        backlogs=store,
        limits=store,
        invoke=invoke,
        clock=time.monotonic,
        log=log,
        run=RUN,
        most=most,
    )


def store_backlog(store: Store, count: int) -> None:
    """Store one notification with so many due routes that can be delivered."""
    submission = a_submission(kind=kind_of(), payload=channel_body()["payload"])
    store_routes(store, count, submission=submission)


def due(store: Store, most: int = 100) -> dict[str, int]:
    """Return the backlog of each registered channel; the schema has a row for each shipped one."""
    return {one.channel: one.due for one in store.backlog(most) if one.channel in NAMES}


# The count.


def test_what_is_due_is_counted_by_channel_in_all_lanes(store: Store) -> None:
    for priority in Priority:
        for count, channel in enumerate(NAMES, 2):
            store_routes(store, count, channel, priority=priority)
    assert due(store) == {channel: 3 * count for count, channel in enumerate(NAMES, 2)}


def test_it_is_counted_no_further_than_it_is_asked_for(store: Store) -> None:
    for priority in Priority:
        store_routes(store, 3, priority=priority)
    assert due(store, 2) == NONE | {CHANNEL: 2}
    assert due(store, 7) == NONE | {CHANNEL: 7}


def test_what_is_not_due_yet_or_has_ended_is_not_counted(
    store: Store, connection: Connection
) -> None:
    store_routes(store, 4)
    connection.execute(
        "update dovecote.notification_routes set next_attempt_at = now() + interval '1 minute'"
        " where route_id = (select route_id from dovecote.notification_routes limit 1)"
    )
    (claim, *_) = claim_all(store)
    with store.transaction() as transaction:
        transaction.publish(claim.token, {claim.route_id: "m-1"})
    assert due(store) == NONE | {CHANNEL: 2}


@pytest.mark.parametrize("until", ["now() + interval '1 minute'", "now() - interval '1 second'"])
def test_a_channel_that_pauses_or_is_to_be_tried_after_it_is_left_out(
    store: Store, connection: Connection, until: str
) -> None:
    store.submit(a_notification([a_route(channel) for channel in NAMES]), a_lease())
    connection.execute(
        f"update dovecote.channel_state set paused_until = {until}"  # noqa: S608
        " where resource = %s".encode(),
        (CHANNEL,),
    )
    assert due(store) == dict.fromkeys(NAMES[1:], 1)


def test_a_channel_is_counted_where_only_an_identity_of_it_pauses(
    store: Store, connection: Connection
) -> None:
    store_routes(store, 1)
    connection.execute(
        "insert into dovecote.channel_state (resource, channel, paused_until)"
        " values (%s, %s, now() + interval '1 minute')",
        (f"{CHANNEL}/example.com", CHANNEL),
    )
    assert due(store) == NONE | {CHANNEL: 1}


def test_the_rate_comes_with_it(store: Store) -> None:
    store.set_rate(CHANNEL, 14.0)
    rates = {one.channel: one.rate for one in store.backlog(1) if one.channel in NAMES}
    assert rates == dict.fromkeys(NAMES) | {CHANNEL: 14.0}


# The calls.


@pytest.mark.parametrize(
    ("routes", "most", "called"),
    [(0, 8, 0), (RUN, 8, 0), (RUN + 1, 8, 1), (3 * RUN, 8, 2), (3 * RUN, 2, 1), (3 * RUN, 1, 0)],
)
def test_as_many_are_called_as_the_backlog_is_worth(
    store: Store, routes: int, most: int, called: int
) -> None:
    if routes:
        store_backlog(store, routes)
    calls, log = Calls(), RecordingLog()
    assert a_scale_out(store, calls, log, most)() == called
    assert calls == ["dispatch"] * called
    assert log.levels() <= {"info"}


def test_a_rate_that_one_uses_up_calls_nobody(store: Store) -> None:
    store_backlog(store, 3 * RUN)
    store.set_rate(CHANNEL, 4.0)
    calls = Calls()
    assert a_scale_out(store, calls, RecordingLog())() == 0
    store.set_rate(CHANNEL, 4.1)
    assert a_scale_out(store, calls, RecordingLog())() == 1


def test_a_call_that_fails_is_one_warning_and_the_last_one(
    store: Store,
) -> None:
    store_backlog(store, 5 * RUN)
    asked, log = Calls(), RecordingLog()

    def throttled(source: str) -> None:
        asked(source)
        if len(asked) == 2:
            raise NotInvoked("TooManyRequestsException")

    assert a_scale_out(store, throttled, log)() == 1
    assert len(asked) == 2
    (warning,) = [line for line in log.lines if line[0] == "warning"]
    assert warning[1:] == (
        "dispatchers not called",
        {"called": 1, "error": "TooManyRequestsException"},
    )


def test_a_database_out_of_reach_is_one_warning_and_no_call() -> None:
    class Away(Store):
        def __init__(self) -> None:
            pass

        def within(self, _seconds: float) -> Any:
            raise StoreUnavailable("away")

    calls, log = Calls(), RecordingLog()
    assert a_scale_out(Away(), calls, log)() == 0
    assert calls == []
    assert log.levels() == {"warning"}


# The function.


class Lambda:
    """Takes calls in place of boto3's client."""

    def __init__(self, error: Exception | None = None, seconds: float = 0.0) -> None:
        self.calls: list[tuple[str, str]] = []
        self._error = error
        self._seconds = seconds

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: str) -> None:  # noqa: N803
        self.calls.append((FunctionName, Payload))
        assert InvocationType == "Event"
        time.sleep(self._seconds)
        if self._error is not None:
            raise self._error


@pytest.fixture
def scaling(
    database_url: str, provider: Running, catalog_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Wire the functions with a Lambda to call, and so many sends at once that 240 are a run."""

    def wired(aws: Lambda, **more: str) -> Any:
        monkeypatch.setattr(clients, "lambda_client", lambda: aws)
        values = environment(
            database_url,
            provider.url,
            catalog_folder,
            **{
                "DISPATCH_CONCURRENCY": "1",
                "DISPATCH_FUNCTION": NAME,
                "MAX_DISPATCHERS": "3",
                **more,
            },
        )
        return run_functions(values)

    return wired


def a_backlog(functions: Functions, store: Store) -> None:
    """Store three runs' worth, which one here would deliver all the same."""
    assert functions.dispatch()["claimed"] == 0  # it asks the provider for its rate
    store_backlog(store, 2 * RUN + 1)


def test_the_scheduled_run_calls_others_beside_its_own_work(
    scaling: Callable[..., Any], store: Store
) -> None:
    aws = Lambda()
    with scaling(aws) as functions:
        a_backlog(functions, store)
        assert functions.dispatch({"source": "schedule"})["published"] == 2 * RUN + 1
    assert aws.calls == [(NAME, '{"source": "dispatch"}')] * 2


@pytest.mark.parametrize("event", [{}, {"source": "dispatch"}, {"source": "me"}, {"other": 1}])
def test_no_other_run_calls_anybody(
    scaling: Callable[..., Any], store: Store, event: dict[str, Any]
) -> None:
    aws = Lambda()
    with scaling(aws) as functions:
        a_backlog(functions, store)
        assert functions.dispatch(event)["published"] == 2 * RUN + 1
    assert aws.calls == []


def test_without_a_function_to_call_nobody_is_called_and_nothing_is_counted(
    scaling: Callable[..., Any], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    monkeypatch.setattr(
        PostgresDispatchStore, "backlog", lambda _, most: counted.append(most) or []
    )
    aws = Lambda()
    with scaling(aws, DISPATCH_FUNCTION="") as functions:
        a_backlog(functions, store)
        functions.dispatch({"source": "schedule"})
    assert (aws.calls, counted) == ([], [])


@pytest.mark.parametrize("error", [NotInvoked("throttled"), RuntimeError("whatever")])
def test_a_run_whose_calls_fail_does_its_work_and_says_so_once(
    scaling: Callable[..., Any],
    store: Store,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
) -> None:
    with scaling(Lambda(error)) as functions:
        a_backlog(functions, store)
        assert functions.dispatch({"source": "schedule"})["published"] == 2 * RUN + 1
    assert capsys.readouterr().out.count("dispatchers not called") == 1


def test_a_slow_lambda_holds_up_no_send(
    scaling: Callable[..., Any], store: Store, provider: Running
) -> None:
    aws = Lambda(seconds=3)
    with scaling(aws) as functions:
        a_backlog(functions, store)
        began = time.time()
        functions.dispatch({"source": "schedule"})
    times = sorted(row.time for row in provider.provider.ledger.accepted)
    assert max(later - earlier for earlier, later in pairwise([began, *times])) < 3
    assert len(aws.calls) == 2
