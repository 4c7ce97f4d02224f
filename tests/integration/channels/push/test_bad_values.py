"""An exception of the channel fails its own push alone."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dovecote.channels.push.channel import PushChannel
from dovecote.core.claim import Claim
from local.provider import Running
from tests.canary import CANARY
from tests.catalogs import write_catalog
from tests.functions import Functions
from tests.integration.test_submit_in_sql import ran

Connection = psycopg.Connection[Any]


@pytest.fixture
def wired(database_url: str, provider: Running, tmp_path: Path) -> Iterator[Functions]:
    """The functions without a topic."""
    catalog = write_catalog(tmp_path, {"of.any": {"required": ["n"], "channels": ["push"]}})
    settings = {"BACKOFF_BASE_SECONDS": "0", "PUSH_TOPIC_ARN": ""}
    with ran(database_url, catalog, provider.url, **settings) as functions:
        yield functions


RAISED: Sequence[Exception] = [
    OverflowError("int too large"),
    RecursionError("maximum recursion depth exceeded"),
    MemoryError(),
    ArithmeticError("decimal"),
    UnicodeEncodeError("utf-8", CANARY, 0, 1, "surrogates not allowed"),
    KeyError(CANARY),
    AssertionError(CANARY),
]


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("method", ["resources", "prepare"])
def test_an_exception_of_a_channel_is_the_failure_of_its_route(
    wired: Functions,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    error: Exception,
) -> None:
    """It raises for one of three pushes; the others come as far as the topic that is not there."""
    real = getattr(PushChannel, method)

    def raising(self: PushChannel, claim: Claim) -> Any:
        if claim.user_id == "bad":
            raise error
        return real(self, claim)

    monkeypatch.setattr(PushChannel, method, raising)
    _pushes(connection)
    assert wired.dispatch()["interrupted"] == 0
    found = connection.execute(
        "select user_id, attempts, last_error from dovecote.notification_routes"
    ).fetchall()
    others = "push topic is not configured"
    own = f"cannot be sent: {type(error).__name__}"
    assert sorted(found) == [("bad", 1, own), ("u-1", 2, others), ("u-2", 2, others)]


def _pushes(connection: Connection) -> None:
    for user in ("u-1", "bad", "u-2"):
        connection.execute(
            "with one as (insert into dovecote.notifications"
            " (notification_id, kind, idempotency_key, fingerprint)"
            " values (gen_random_uuid(), 'of.any', %(user)s, 'f')"
            " returning notification_id), payload as (insert into dovecote.notification_payloads"
            " select notification_id, -1, '{\"n\": 1}' from one)"
            " insert into dovecote.notification_routes (route_id, notification_id, position,"
            " channel, target, user_id, priority, lane, status, max_attempts, next_attempt_at,"
            " expires_at) select gen_random_uuid(), notification_id, 0, 'push', 'topic', %(user)s,"
            " 1, 64, 'pending', 2, now(), now() + interval '1 hour' from one",
            {"user": user},
        )
