"""Submit wakes dispatch up for what it leaves, at most once a second for the whole stack."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dovecote.channels import NAMES
from dovecote.core.errors import StoreUnavailable
from dovecote.core.ports import NotInvoked
from dovecote.dispatch.dispatch import TALLY
from dovecote.dispatch.runs import SECOND, WokenRun
from dovecote.store.database import Connection as StoreConnection
from dovecote.store.database import Database
from dovecote.submit.wake_up import WakeUp
from dovecote.wiring import clients
from local.provider import Fault, Running
from tests.builders import CHANNEL, RecordingLog, forever
from tests.functions import Functions, environment, run_functions
from tests.integration.passing_time import RESOURCES
from tests.integration.test_scale_out import NAME, Calls, Lambda
from tests.sending import channel_body, order, recipient
from tests.store import Store

Connection = psycopg.Connection[Any]
CALL = (NAME, '{"source": "submit"}')
RECIPIENTS = [recipient(number) for number in range(1, 6)]


# The second.


@pytest.mark.timed
def test_of_many_submits_at_once_one_a_second_has_the_call(database_url: str) -> None:
    """As many connections as a busy stack has functions, for three and a half seconds."""
    taken: list[float] = []
    slowest = [0.0]
    ends = time.monotonic() + 3.5

    def ask() -> None:
        database = Database(
            lambda: StoreConnection.connect(database_url, autocommit=True, prepare_threshold=None)
        )
        store = Store(database, default_max_attempts=5)
        store.wake_up([])  # the connection is there from now on
        while (began := time.monotonic()) < ends:
            if store.wake_up([CHANNEL]):
                taken.append(time.monotonic())
            slowest[0] = max(slowest[0], time.monotonic() - began)
        database.close()

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 2 <= len(taken) <= 4
    gaps = [later - earlier for earlier, later in pairwise(taken)]
    assert all(gap > 0.9 for gap in gaps), gaps
    assert slowest[0] < 2  # nobody waits, but for two cores


@pytest.mark.timed
def test_nobody_waits_for_who_has_the_row(store: Store, connection: Connection) -> None:
    with connection.transaction():
        connection.execute("select from dovecote.handover for update")
        began = time.monotonic()
        assert not store.wake_up([CHANNEL])
        assert time.monotonic() - began < 0.5
    assert store.wake_up([CHANNEL])


def test_a_second_is_over_after_a_second(store: Store) -> None:
    assert store.wake_up([CHANNEL])
    assert not store.wake_up([CHANNEL])
    time.sleep(SECOND)
    assert store.wake_up([CHANNEL])


def test_for_a_channel_that_pauses_nobody_is_called(store: Store, connection: Connection) -> None:
    connection.execute(
        "update dovecote.channel_state set paused_until = now() + interval '1 minute'"
        " where resource = %s",
        (CHANNEL,),
    )
    assert not store.wake_up([CHANNEL])
    assert store.wake_up(NAMES) == (len(NAMES) > 1)


# Submit.

Wired = Callable[..., Any]


@pytest.fixture
def wired(
    database_url: str, provider: Running, catalog_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Wired:
    @contextmanager
    def wire(aws: Lambda, **more: str) -> Iterator[Functions]:
        monkeypatch.setattr(clients, "lambda_client", lambda: aws)
        values = environment(
            database_url, provider.url, catalog_folder, **{"DISPATCH_FUNCTION": NAME, **more}
        )
        with run_functions(values) as functions:
            yield functions

    return wire


@dataclass
class Case:
    """A submission, and how many calls of dispatch it is worth."""

    name: str
    calls: int
    body: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    fault: Fault | None = None
    sql: str = ""


PAUSED = (
    "update dovecote.channel_state set paused_until = now() + interval '1 minute'"
    " where resource = %s"
)
CASES = [
    Case("all are published at once", 0),
    Case("more than are tried at once", 1, {"recipients": RECIPIENTS}),
    Case("none is tried at once", 1, settings={"INLINE_ROUTES": "0"}),
    Case("for later", 0, {"deliver_at": "2999-01-01T00:00:00Z", "recipients": RECIPIENTS}),
    Case("a failure is due later", 0, fault=Fault.ERROR),
    Case("a throttled route is due again at once", 1, fault=Fault.THROTTLE),
    Case("a channel that pauses", 0, {"recipients": RECIPIENTS}, sql=PAUSED),
    Case("nobody to call", 0, {"recipients": RECIPIENTS}, {"DISPATCH_FUNCTION": ""}),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_dispatch_is_called_for_what_is_left_and_due(
    wired: Wired, connection: Connection, provider: Running, case: Case
) -> None:
    aws = Lambda()
    if case.fault is not None:
        order(provider, case.fault)
    if case.sql:
        connection.execute(case.sql.encode(), (CHANNEL,))
    with wired(aws, **case.settings) as functions:
        assert functions.post(channel_body(**case.body)).status == 202
    assert aws.calls == [CALL] * case.calls


def test_a_batch_calls_dispatch_once_and_in_the_end(wired: Wired) -> None:
    aws = Lambda()
    with wired(aws, INLINE_ROUTES="0") as functions:
        answer = functions.post_batch([channel_body(idempotency_key=str(n)) for n in range(50)])
        assert [result["status"] for result in answer.body["results"]] == [202] * 50
    assert aws.calls == [CALL]


def test_the_same_key_again_calls_nobody(wired: Wired) -> None:
    aws = Lambda()
    with wired(aws, INLINE_ROUTES="0") as functions:
        body = channel_body()
        functions.post(body)
        time.sleep(SECOND)
        assert functions.post(body).headers["idempotent-replayed"] == "true"
    assert len(aws.calls) == 1


def test_a_submit_within_the_second_leaves_it_to_the_one_before(wired: Wired) -> None:
    aws = Lambda()
    with wired(aws, INLINE_ROUTES="0") as functions:
        for _ in range(5):
            functions.post(channel_body(idempotency_key=str(time.time())))
    assert len(aws.calls) == 1


@pytest.mark.parametrize("error", [NotInvoked("throttled"), RuntimeError("whatever")])
def test_a_call_that_fails_is_a_202_and_one_warning(
    wired: Wired, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    with wired(Lambda(error), INLINE_ROUTES="0") as functions:
        assert functions.post(channel_body()).status == 202
    assert capsys.readouterr().out.count("dispatch not woken up") == 1


@pytest.mark.timed
def test_a_slow_lambda_is_waited_for_half_a_second_at_most(wired: Wired) -> None:
    with wired(Lambda(seconds=3), INLINE_ROUTES="0") as functions:
        functions.post(
            channel_body(deliver_at="2999-01-01T00:00:00Z")
        )  # connected, and all is loaded
        began = time.monotonic()
        assert functions.post(channel_body(idempotency_key="another")).status == 202
        assert 0.4 < time.monotonic() - began < 1


@pytest.mark.timed
def test_it_takes_no_more_than_is_left_of_the_budget(wired: Wired, provider: Running) -> None:
    order(provider, Fault.STALL, seconds=20, times=1)  # half of the budget is spent on that
    with wired(Lambda(seconds=3), INLINE_ROUTES="1", INLINE_BUDGET_SECONDS="0.6") as functions:
        functions.post(
            channel_body(deliver_at="2999-01-01T00:00:00Z")
        )  # connected, and all is loaded
        began = time.monotonic()
        body = channel_body(recipients=RECIPIENTS, idempotency_key="another")
        assert functions.post(body).status == 202
        assert time.monotonic() - began < 1


class Away:
    """A store that is out of reach from now on."""

    def within(self, _seconds: float) -> Any:
        raise StoreUnavailable("away")

    def hold_wake_up(self, _seconds: float) -> None:
        raise StoreUnavailable("away")


def test_a_database_out_of_reach_is_one_warning_and_no_call() -> None:
    calls, log = Calls(), RecordingLog()
    with ThreadPoolExecutor() as executor:
        WakeUp(
            rights=Away(),  # type: ignore[arg-type]
            limits=Away(),  # type: ignore[arg-type]
            invoke=calls,
            executor=executor,
            clock=time.monotonic,
            log=log,
        )([CHANNEL], 1.0)
    assert calls == []
    assert [line[:2] for line in log.lines] == [("warning", "dispatch not woken up")]


# Dispatch.


@dataclass
class Runs:
    """Dispatches nothing, and does what it is told to meanwhile."""

    meanwhile: Sequence[Callable[[], None]] = ()
    interrupted: int = 0
    began: list[float] = field(default_factory=list)

    def __call__(self, _time_left: Callable[[], float]) -> dict[str, int]:
        if len(self.began) < len(self.meanwhile):
            self.meanwhile[len(self.began)]()
        self.began.append(time.monotonic())
        return {**dict.fromkeys(TALLY, 1), "interrupted": self.interrupted}


def test_a_called_run_keeps_others_from_being_called_and_looks_again_after_a_second(
    store: Store,
) -> None:
    """A submit that could not call stored its routes before: that look finds them."""
    refused: list[bool] = []

    def submit() -> None:
        time.sleep(SECOND + 0.1)  # the second of the call is over
        refused.append(store.wake_up([CHANNEL]))

    def sleep(seconds: float) -> None:
        refused.append(store.wake_up([CHANNEL]))
        time.sleep(seconds)

    runs = Runs([submit, lambda: refused.append(store.wake_up([CHANNEL]))])
    assert store.wake_up([CHANNEL])
    tally = WokenRun(wake_ups=store, dispatch=runs, sleep=sleep, log=RecordingLog())(forever)
    # While it runs and until it looks again nobody calls; from its last look on the next may.
    assert refused == [False, False, True]
    assert tally == {**dict.fromkeys(TALLY, 2), "interrupted": 0}


@pytest.mark.parametrize(("left", "interrupted"), [([90.0, 0.5], 0), ([90.0, 60.0], 1)])
def test_without_time_or_a_database_it_does_not_look_again(
    store: Store, left: list[float], interrupted: int
) -> None:
    runs = Runs(interrupted=interrupted)
    times = iter(left)
    WokenRun(wake_ups=store, dispatch=runs, sleep=pytest.fail, log=RecordingLog())(
        lambda: next(times)
    )
    assert len(runs.began) == 1
    time.sleep(SECOND)
    assert store.wake_up([CHANNEL])


def test_a_handover_that_cannot_be_kept_is_said_and_the_run_is_done() -> None:
    runs, log = Runs(), RecordingLog()
    WokenRun(wake_ups=Away(), dispatch=runs, sleep=lambda _: None, log=log)(forever)  # type: ignore[arg-type]
    assert len(runs.began) == 2
    assert [line[:2] for line in log.lines] == [("warning", "handover not kept")] * 2


def test_the_function_takes_over_what_submit_left(
    wired: Wired, connection: Connection, provider: Running
) -> None:
    aws = Lambda()
    with wired(aws) as functions:
        functions.post(channel_body(recipients=RECIPIENTS))
        assert functions.dispatch({"source": "submit"})["published"] == 3
    assert len(provider.provider.ledger.accepted) == 5
    kept = connection.execute("select taken_until < clock_timestamp() from dovecote.handover")
    assert kept.fetchone() == (True,)


@pytest.mark.parametrize(("seconds", "calls"), [(2, [CALL]), (120, [])])
def test_what_waits_for_a_short_pause_of_its_identity_is_handed_over(
    wired: Wired, store: Store, seconds: float, calls: list[Any]
) -> None:
    store.pause(RESOURCES[CHANNEL], "e", base=seconds, most=300, jitter=1)
    aws = Lambda()
    with wired(aws) as functions:
        (route,) = functions.post(channel_body()).body["routes"]
    assert (route["status"], route["waiting_for"]) == ("pending", RESOURCES[CHANNEL])
    assert aws.calls == calls
