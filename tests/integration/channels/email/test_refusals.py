"""A refusal of one recipient is that route's failure; a refusal of all pauses their resource."""

import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest

from local.intrinsic import load
from local.provider import Fault, Order, Running
from tests.functions import ROOT, Functions, environment, run_functions
from tests.integration.passing_time import QUICK, lasting, pass_seconds, run, run_until
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


def wired(
    database_url: str, provider: Running, kinds: Path, **more: str
) -> AbstractContextManager[Functions]:
    """Wire the functions with the template's real pauses, and sends of a second at most."""
    return run_functions(environment(database_url, provider.url, kinds, **(QUICK | more)))


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
        "select address, status, attempts from dovecote.notification_routes"
    ).fetchall()
    return {email.partition("+")[2].partition("@")[0]: (s, a) for email, s, a in found}


def summary(connection: Connection) -> Counter[tuple[str, str, int]]:
    return Counter((name[:4], *state) for name, state in states(connection).items())


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


@pytest.mark.parametrize(
    ("count", "kind", "worked_before"),
    [
        (1, "shop.sent", False), (1, "once.sent", True), (2, "shop.sent", True),
        (2, "once.sent", False), (5, "shop.sent", False), (5, "once.sent", True),
        (COUNT, "shop.sent", True), (COUNT, "once.sent", False),
    ],
)  # fmt: skip
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


@pytest.mark.timed
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


def oldest_due_alarm() -> dict[str, Any]:
    """Read the alarm from its stack, with the default that template.yaml has for its threshold."""
    stack = load((ROOT / "stacks" / "alarms.yaml").read_text())
    template = load((ROOT / "template.yaml").read_text())
    alarm = stack["Resources"]["OldestDueAlarm"]["Properties"]
    threshold = template["Parameters"][f"Alarm{alarm['Threshold']['Ref']}"]["Default"]
    return {**alarm, "Threshold": threshold}


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
    alarm = oldest_due_alarm()
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


def test_a_waiting_email_is_erased_by_its_address_and_waits_no_more(
    stack: Functions, provider: Running, connection: Connection
) -> None:
    deny_all(provider)
    post(stack, [f"name{n:02}" for n in range(5)])
    run(stack)
    run_until(stack, connection, 60)
    for n in range(5):
        query = urlencode({"email": address(f"name{n:02}")})
        answer = stack.call("DELETE", f"/recipients?{query}")
        assert (answer.status, answer.body["erased"]) == (200, 1)
    found = connection.execute(
        "select distinct status, waiting_since, waiting_for, refusals, refused_at"
        " from dovecote.notification_routes"
    ).fetchall()
    assert found == [("cancelled", None, None, None, None)]
