"""A refusal of one recipient is that route's failure; a refusal of all pauses their resource."""

import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest

from local.provider import Fault, Order, Running
from tests.functions import Context, Functions, environment, run_functions
from tests.infrastructure.reading import resolver, resources
from tests.unit.examples import catalog_folder as a_catalog

Connection = psycopg.Connection[Any]
IDENTITY = "email/shop.example"
KINDS = {
    "shop.sent": {},
    "news.sent": {},
    "alert.sent": {"priority": "high"},
    "once.sent": {"max_attempts": 1},
}
COUNT = 60


@pytest.fixture
def kinds(tmp_path: Path) -> Path:
    """A catalog whose kinds all send from one identity."""
    names = ("subject.txt", "body.html", "body.txt")
    folder = a_catalog(tmp_path, templates={f"greeting-sent/{name}": "Hello" for name in names})
    base = {
        "channels": ["email"],
        "from": "Shop <shop@shop.example>",
        "template": "greeting-sent",
        "schema": {"type": "object"},
    }
    document = {"kinds": {name: base | more for name, more in KINDS.items()}}
    (folder / "kinds.yaml").write_text(json.dumps(document), encoding="utf-8")
    return folder


@dataclass(frozen=True)
class Lasting(Context):
    """Lambda's context of a run that has so many seconds from now."""

    ends: float = 0.0

    def get_remaining_time_in_millis(self) -> int:
        return max(0, round((self.ends - time.monotonic()) * 1000))


def lasting(seconds: float) -> Lasting:
    return Lasting(ends=time.monotonic() + seconds)


def wired(
    database_url: str, provider: Running, kinds: Path, **more: str
) -> AbstractContextManager[Functions]:
    """Wire the functions with the template's real pauses, and sends of a second at most."""
    quick = {
        "INLINE_ROUTES": "0", "BACKOFF_BASE_SECONDS": "0", "BACKOFF_JITTER": "0",
        "PAUSE_BASE_SECONDS": "2", "PAUSE_MAX_SECONDS": "300",
        "SEND_CONNECT_SECONDS": "1", "SEND_READ_SECONDS": "1.5", "LEASE_SECONDS": "10",
    }  # fmt: skip
    return run_functions(environment(database_url, provider.url, kinds, **(quick | more)))


@pytest.fixture(params=["1", "50"], ids=["singly", "in bulk"])
def stack(
    request: pytest.FixtureRequest, database_url: str, provider: Running, kinds: Path
) -> Iterator[Functions]:
    with wired(database_url, provider, kinds, EMAIL_BULK_SIZE=request.param) as functions:
        yield functions


def address(name: str) -> str:
    return f"success+{name}@simulator.amazonses.com"


def post(functions: Functions, names: Sequence[str], kind: str = "shop.sent") -> None:
    body = {
        "kind": kind, "idempotency_key": f"{kind}-{names[0]}-{len(names)}", "payload": {},
        "recipients": [{"email": address(name)} for name in names],
    }  # fmt: skip
    assert functions.post(body).status == 202


def deny(provider: Running, *names: str) -> None:
    """Deny recipients as IAM does: a call fails as a whole where it names one of them."""
    for name in names:
        provider.provider.give(
            Order(
                do=Fault.ERROR, status=403, code="AccessDeniedException", address=address(name),
                whole=True, message="User is not authorized to perform ses:SendEmail",
            )
        )  # fmt: skip


def deny_all(provider: Running) -> None:
    provider.provider.give(
        Order(do=Fault.ERROR, status=403, code="AccessDeniedException", message="not authorized")
    )


def states(connection: Connection) -> dict[str, tuple[str, int]]:
    """Return status and attempts by the name in the address."""
    found = connection.execute(
        "select resolved_email, status, attempts from dovecote.notification_routes"
    ).fetchall()
    return {email.partition("+")[2].partition("@")[0]: (s, a) for email, s, a in found}


def summary(connection: Connection) -> Counter[tuple[str, str, int]]:
    return Counter((name[:4], *state) for name, state in states(connection).items())


def pass_seconds(connection: Connection, seconds: float) -> None:
    connection.execute(
        "update dovecote.notification_routes set next_attempt_at = next_attempt_at - g.by,"
        "  waiting_since = waiting_since - g.by, refused_at = refused_at - g.by,"
        "  expires_at = expires_at - g.by"
        " from (select make_interval(secs => %s) as by) g",
        (seconds,),
    )
    connection.execute(
        "update dovecote.channel_state set paused_until = paused_until - g.by,"
        "  trying_until = trying_until - g.by, proven_at = proven_at - g.by"
        " from (select make_interval(secs => %s) as by) g",
        (seconds,),
    )


def pass_time(connection: Connection) -> float:
    """Move time on to when the next pause ends or the next route is due; return the seconds."""
    row = connection.execute(
        "select extract(epoch from least("
        "  (select min(next_attempt_at) from dovecote.notification_routes"
        "   where next_attempt_at is not null),"
        "  (select min(greatest(paused_until, trying_until)) from dovecote.channel_state"
        "   where greatest(paused_until, trying_until) > clock_timestamp())"
        " ) - clock_timestamp())"
    ).fetchone()
    seconds = 0.0 if row is None or row[0] is None else max(0.0, float(row[0]))
    pass_seconds(connection, seconds)
    return seconds


def run(functions: Functions, seconds: float = 6.4) -> dict[str, int]:
    """Run dispatch with less time than it takes to wait for a pause of 2 s."""
    return functions.dispatch(context=lasting(seconds))


def run_until(functions: Functions, connection: Connection, seconds: float) -> float:
    """Run dispatch at once whenever something is due, for so many seconds of its time."""
    passed = 0.0
    while passed < seconds:
        claimed = run(functions)["claimed"]
        moved = pass_time(connection)
        passed += moved
        if not moved and not claimed:
            return passed
    return passed


def places(where: str, denied: int) -> list[str]:
    """Return the names of all recipients, the oldest first; denied ones begin with `bad`."""
    good = [f"good{n:02}" for n in range(COUNT - denied)]
    bad = [f"bad-{n:02}" for n in range(denied)]
    if where == "oldest":
        return bad + good
    if where == "newest":
        return good + bad
    mixed = good + bad
    random.Random(denied).shuffle(mixed)
    return mixed


@pytest.mark.parametrize("denied", [1, 3, 20])
@pytest.mark.parametrize("where", ["oldest", "newest", "anywhere"])
def test_denied_recipients_end_as_their_own_failures_and_hold_up_no_others(
    stack: Functions, provider: Running, connection: Connection, where: str, denied: int
) -> None:
    names = places(where, denied)
    deny(provider, *(name for name in names if name.startswith("bad-")))
    post(stack, names)
    run_until(stack, connection, 30)
    assert summary(connection)["good", "published", 1] == COUNT - denied
    run_until(stack, connection, 60)
    assert summary(connection) == {
        ("good", "published", 1): COUNT - denied, ("bad-", "dead_lettered", 8): denied,
    }  # fmt: skip


@pytest.mark.parametrize(("where", "denied"), [("oldest", 3), ("newest", 20)])
def test_denied_recipients_end_by_themselves_at_a_low_rate_too(
    database_url: str,
    provider: Running,
    kinds: Path,
    connection: Connection,
    where: str,
    denied: int,
) -> None:
    """At 14 a second a batch has 28 routes at most: those at the end may all be denied."""
    names = places(where, denied)
    deny(provider, *(name for name in names if name.startswith("bad-")))
    with wired(database_url, provider, kinds, EMAIL_MAX_PER_SECOND="14") as functions:
        post(functions, names)
        functions.dispatch(context=lasting(30))
        assert summary(connection)["good", "published", 1] == COUNT - denied
        run_until(functions, connection, 60)
    assert summary(connection)["bad-", "dead_lettered", 8] == denied


@pytest.mark.parametrize("denied", [1, 3, 20])
@pytest.mark.parametrize("kind", ["alert.sent", "news.sent"])
def test_denied_recipients_of_a_kind_hold_up_no_other_kind(
    stack: Functions, provider: Running, connection: Connection, kind: str, denied: int
) -> None:
    """The kind is one of high priority, which goes first, or another of the same."""
    good, bad = places("newest", denied)[: COUNT - denied], places("oldest", denied)[:denied]
    deny(provider, *bad)
    post(stack, bad, kind)
    post(stack, good)
    run_until(stack, connection, 30)
    assert summary(connection)["good", "published", 1] == COUNT - denied
    run_until(stack, connection, 60)
    assert summary(connection)["bad-", "dead_lettered", 8] == denied


def requests(provider: Running) -> int:
    """Count the requests to send; a bulk call is one."""
    rows = list(provider.provider.ledger.attempts)
    return len({row.call or str(row.sequence) for row in rows})


@pytest.mark.parametrize("count", [1, 2, 5, COUNT])
@pytest.mark.parametrize("kind", ["shop.sent", "once.sent"])
@pytest.mark.parametrize("worked_before", [False, True])
def test_a_denied_identity_burns_no_attempt_and_all_goes_out_once_it_may_send(
    stack: Functions,
    provider: Running,
    connection: Connection,
    count: int,
    kind: str,
    worked_before: bool,
) -> None:
    if worked_before:
        deny(provider, "bad-00")
        post(stack, ["bad-00"], "alert.sent")
        run(stack)
        provider.provider.withdraw()
        post(stack, ["good-before"], "alert.sent")
        run_until(stack, connection, 30)
    before = requests(provider)
    deny_all(provider)
    names = [f"name{n:02}" for n in range(count)]
    post(stack, names, kind)
    run_until(stack, connection, 3600)
    assert summary(connection)["name", "pending", 0] == count
    # 32 threads at most send at once before the first answer; then a few of each probe.
    assert requests(provider) - before < 32 + 4 * 25
    provider.provider.withdraw()
    run_until(stack, connection, 600)
    assert summary(connection)["name", "published", 1] == count


def test_an_hour_of_a_denied_identity_costs_a_request_a_minute(
    stack: Functions, provider: Running, connection: Connection
) -> None:
    deny_all(provider)
    post(stack, [f"name{n:02}" for n in range(COUNT)])
    run_until(stack, connection, 1200)
    before = requests(provider)
    passed = run_until(stack, connection, 3600)
    assert requests(provider) - before <= 2 * passed / 60


def test_the_pause_of_a_denied_identity_grows_to_the_most(
    stack: Functions, provider: Running, connection: Connection
) -> None:
    deny_all(provider)
    post(stack, [f"name{n:02}" for n in range(COUNT)])
    run_until(stack, connection, 1200)
    row = connection.execute(
        "select in_a_row, error from dovecote.channel_state where resource = %s", (IDENTITY,)
    ).fetchone()
    assert row is not None
    assert row[0] >= 8
    assert "AccessDeniedException" in row[1]


def test_submits_of_denied_recipients_hold_up_no_good_ones(
    database_url: str, provider: Running, kinds: Path, connection: Connection
) -> None:
    """Submit sends one at once again and again, while good ones are due; in real time."""
    good = [f"good{n:02}" for n in range(54)]
    with wired(database_url, provider, kinds, INLINE_ROUTES="10") as functions:
        for n in range(6):
            bad = f"bad-{n:02}"
            deny(provider, bad)
            post(functions, [bad])
            if n == 1:
                post(functions, good)
            functions.dispatch(context=lasting(8))
            time.sleep(0.2)
        run_until(functions, connection, 10)
        assert summary(connection)["good", "published", 1] == len(good)
        run_until(functions, connection, 60)
        late = f"good-{time.time():.0f}"
        post(functions, [late], "alert.sent")
        began = time.monotonic()
        while states(connection)[late][0] != "published":
            functions.dispatch(context=lasting(20))
            assert time.monotonic() - began < 30
    assert {state for name, state in states(connection).items() if name.startswith("good")} == {
        ("published", 1)
    }


@pytest.mark.parametrize("denied", [1, 3, 20])
def test_denied_topics_and_devices_of_a_platform_hold_up_no_other_device(
    database_url: str, provider: Running, catalog_folder: Path, connection: Connection, denied: int
) -> None:
    registry = provider.provider.registry
    application = registry.create_application("shop", "GCM")
    quick = {
        "PUSH_APPLICATION_ARNS": application, "BACKOFF_BASE_SECONDS": "0",
        "SEND_CONNECT_SECONDS": "1", "SEND_READ_SECONDS": "1.5", "LEASE_SECONDS": "10",
        "INLINE_ROUTES": "0",
    }  # fmt: skip
    values = environment(database_url, provider.url, catalog_folder, **quick)
    users = [f"bad-{n:02}" for n in range(denied)] + [f"good{n:02}" for n in range(60 - denied)]
    with run_functions(values) as functions:
        for user in users:
            device = {"user_id": user, "device_session_id": "phone", "platform": "fcm"}
            body = json.dumps({**device, "token": f"token-of-{user}"}).encode()
            assert functions.call("PUT", "/devices", body).status == 200
            if user.startswith("bad"):
                provider.provider.give(
                    Order(
                        do=Fault.ERROR, service="sns", status=403, code="AuthorizationError",
                        address=f"token-of-{user}", message="not authorized",
                    )
                )  # fmt: skip
        body = {
            "kind": "order.shipped", "idempotency_key": "push",
            "payload": {"order_id": "1234", "carrier": "DHL", "first_name": "Ann"},
            "recipients": [{"user_id": user} for user in users],
        }  # fmt: skip
        assert functions.post(body).status == 202
        run_until(functions, connection, 60)
    found = connection.execute(
        "select left(user_id, 4), status, attempts, count(*) from dovecote.notification_routes"
        " where channel = 'push' group by 1, 2, 3 order by 1"
    ).fetchall()
    assert [row for row in found if row[0] == "good"] == [("good", "published", 1, 60 - denied)]
    (bad,) = [row for row in found if row[0] == "bad-"]
    assert (bad[1], bad[3]) == ("dead_lettered", denied)


# What waits is counted, and an alarm goes off.


def gauges_of(printed: str) -> dict[str, float]:
    lines = [json.loads(one) for one in printed.splitlines() if one.startswith('{"_aws"')]
    (line,) = [one for one in lines if "channel" not in one]
    return {name: value[0] for name, value in line.items() if isinstance(value, list)}


def goes_off(alarm: dict[str, Any], points: Sequence[tuple[float, float]]) -> bool:
    """Evaluate an alarm as CloudWatch does: its statistic is Maximum, a gap counts as breaching."""
    assert (alarm["Statistic"], alarm["TreatMissingData"]) == ("Maximum", "breaching")
    by_period: dict[int, float] = {}
    for at, value in points:
        period = int(at // alarm["Period"])
        by_period[period] = max(value, by_period.get(period, value))
    last = int(points[-1][0] // alarm["Period"])
    row = 0
    for period in range(last + 1):
        breaching = by_period.get(period, float("inf")) > float(alarm["Threshold"])
        row = row + 1 if breaching else 0
        if row >= alarm["EvaluationPeriods"] and period in by_period:
            return True
    return False


def pass_a_minute(connection: Connection) -> None:
    """Move time on by a minute, as from one scheduled run to the next."""
    pass_seconds(connection, 60.0)


@pytest.mark.parametrize("denied", ["one of sixty", "all"])
def test_the_alarm_goes_off_while_an_identity_is_denied_and_not_for_one_recipient(
    stack: Functions,
    provider: Running,
    connection: Connection,
    capsys: pytest.CaptureFixture[str],
    denied: str,
) -> None:
    alarm = resolver().value(resources("AWS::CloudWatch::Alarm")["OldestDueAlarm"])
    names = places("oldest", 1)
    if denied == "all":
        deny_all(provider)
    else:
        deny(provider, "bad-00")
    post(stack, names)
    points, waiting = [], []
    for minute in range(25):
        capsys.readouterr()
        run(stack)
        gauges = gauges_of(capsys.readouterr().out)
        points.append((60.0 * minute, gauges[alarm["MetricName"]]))
        waiting.append((gauges["waiting_routes"], gauges["paused_resources"]))
        pass_a_minute(connection)
    assert goes_off(alarm, points) == (denied == "all")
    if denied == "all":
        assert waiting == [(COUNT, 1)] * 25
        assert points[-1][1] == pytest.approx(24 * 60, abs=60)
    else:
        assert waiting[-1] == (0, 0)


def test_the_overview_counts_what_waits_behind_each_pause(
    stack: Functions, provider: Running, connection: Connection
) -> None:
    deny_all(provider)
    post(stack, [f"name{n:02}" for n in range(COUNT)])
    run(stack)
    pass_a_minute(connection)
    overview = stack.call("GET", "/overview").body
    (paused,) = overview["paused"]
    assert (paused["resource"], paused["waiting"]) == (IDENTITY, COUNT)
    assert 60 <= paused["oldest_waiting_seconds"] < 80
    assert "AccessDenied" in paused["error"]
    (live,) = [one for one in overview["live"] if one["live"]]
    assert (live["channel"], live["due"]) == ("email", COUNT)
    assert 60 <= live["oldest_due_seconds"] < 80


def test_a_waiting_route_is_shown_with_the_resource_it_waits_for(
    stack: Functions, provider: Running, connection: Connection
) -> None:
    deny_all(provider)
    post(stack, ["name00"])
    (before,) = read(stack)
    assert (before["waiting_for"], before["waiting_since"]) == (None, None)
    run(stack)
    (route,) = read(stack)
    assert (route["waiting_for"], route["waiting_since"]) == (IDENTITY, before["next_attempt_at"])
    assert route["next_attempt_at"] > before["next_attempt_at"]
    assert "AccessDenied" in route["last_error"]
    provider.provider.withdraw()
    run_until(stack, connection, 60)
    (after,) = read(stack)
    assert (after["status"], after["waiting_for"], after["last_error"]) == ("published", None, None)


def read(stack: Functions) -> list[dict[str, Any]]:
    query = f"/notifications?email={address('name00').replace('+', '%2B')}"
    (found,) = stack.call("GET", query).body["notifications"]
    return list(found["routes"])


@pytest.mark.parametrize("end", ["cancel", "expire", "erase"])
def test_a_waiting_route_ends_in_each_way_and_waits_no_more(
    stack: Functions, provider: Running, connection: Connection, end: str
) -> None:
    deny_all(provider)
    post(stack, [f"name{n:02}" for n in range(5)])
    run(stack)
    run_until(stack, connection, 60)
    notification = connection.execute(
        "select notification_id from dovecote.notifications"
    ).fetchone()
    assert notification is not None
    if end == "cancel":
        assert stack.call("DELETE", f"/notifications/{notification[0]}").body["cancelled"] == 5
    elif end == "erase":
        for n in range(5):
            query = urlencode({"email": address(f"name{n:02}")})
            answer = stack.call("DELETE", f"/recipients?{query}")
            assert (answer.status, answer.body["erased"]) == (200, 1)
    else:
        connection.execute(
            "update dovecote.notification_routes set expires_at = clock_timestamp(),"
            " next_attempt_at = least(next_attempt_at, clock_timestamp())"
        )
        run(stack)
    found = connection.execute(
        "select distinct status, waiting_since, waiting_for, refusals, refused_at"
        " from dovecote.notification_routes"
    ).fetchall()
    status = "dead_lettered" if end == "expire" else "cancelled"
    assert found == [(status, None, None, None, None)]
    if end == "expire":
        ids = [r for (r,) in connection.execute("select route_id from notification_routes")]
        until = json.dumps({"expires_at": "2999-01-01T00:00:00Z"}).encode()
        assert stack.call("POST", f"/dead-letters/{ids[0]}/redrive", until).status == 202


def test_what_waits_ends_in_time_though_its_pause_outlasts_it(
    stack: Functions, provider: Running, connection: Connection
) -> None:
    deny_all(provider)
    post(stack, [f"name{n:02}" for n in range(COUNT)])
    connection.execute(
        "update dovecote.notification_routes set expires_at = clock_timestamp() + interval '5 min'"
    )
    run_until(stack, connection, 310)
    run(stack)
    assert summary(connection)["name", "dead_lettered", 0] == COUNT
