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

import psycopg
import pytest

from local.provider import Fault, Order, Running
from tests.functions import Context, Functions, environment, functions
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
        "SEND_CONNECT_SECONDS": "0.5", "SEND_READ_SECONDS": "0.5", "LEASE_SECONDS": "10",
    }  # fmt: skip
    return functions(environment(database_url, provider.url, kinds, **(quick | more)))


@pytest.fixture(params=["1", "50"], ids=["singly", "in bulk"])
def stack(
    request: pytest.FixtureRequest, database_url: str, provider: Running, kinds: Path
) -> Iterator[Functions]:
    with wired(database_url, provider, kinds, EMAIL_BULK_SIZE=request.param) as house:
        yield house


def address(name: str) -> str:
    return f"success+{name}@simulator.amazonses.com"


def post(house: Functions, names: Sequence[str], kind: str = "shop.sent") -> None:
    body = {
        "kind": kind, "idempotency_key": f"{kind}-{names[0]}-{len(names)}", "payload": {},
        "recipients": [{"email": address(name)} for name in names],
    }  # fmt: skip
    assert house.post(body).status == 202


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
    return seconds


def run(house: Functions, seconds: float = 4.8) -> dict[str, int]:
    """Run dispatch with less time than it takes to wait for a pause of 2 s."""
    return house.dispatch(context=lasting(seconds))


def run_until(house: Functions, connection: Connection, seconds: float) -> float:
    """Run dispatch at once whenever something is due, for so many seconds of its time."""
    passed = 0.0
    while passed < seconds:
        claimed = run(house)["claimed"]
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
def test_denied_recipients_end_as_their_own_failures_and_hold_up_nobody(
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
