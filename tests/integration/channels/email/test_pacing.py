"""Emails leave at the rate of the setting, or of the account as SES says it."""

import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from local.provider import Running
from tests.functions import Context, environment, run_functions
from tests.sending import channel_body
from tests.store import Store


def test_emails_leave_no_faster_than_the_rate_says(
    database_url: str, provider: Running, catalog_folder: Path
) -> None:
    values = environment(
        database_url, provider.url, catalog_folder, EMAIL_MAX_PER_SECOND="20", INLINE_ROUTES="0"
    )
    with run_functions(values) as functions:
        recipients = [{"email": f"success+{n}@simulator.amazonses.com"} for n in range(15)]
        functions.post(channel_body("email", recipients=recipients))
        assert functions.dispatch()["published"] == 15
    times = sorted(row.time for row in provider.provider.ledger.accepted)
    assert times[-1] - times[0] >= 14 * 0.05 / 2  # the first may have been late


def test_the_rate_of_the_account_is_the_one_that_ses_says(
    database_url: str, provider: Running, catalog_folder: Path, store: Store
) -> None:
    with run_functions(environment(database_url, provider.url, catalog_folder)) as functions:
        functions.dispatch()
    assert store.channel_state("email").rate is not None
    assert not store.channel_state("email").rate_is_old


class Brief(Context):
    """A context of Lambda with time for sends until 6 s after it was made."""

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "until", time.monotonic() + 6)

    def get_remaining_time_in_millis(self) -> int:
        return 60_000 if time.monotonic() < vars(self)["until"] else 5_000


def test_a_campaign_of_50_000_emails_delays_no_other_kind_of_its_priority(
    database_url: str, provider: Running, catalog_folder: Path, connection: psycopg.Connection[Any]
) -> None:
    values = environment(
        database_url, provider.url, catalog_folder, EMAIL_MAX_PER_SECOND="14", INLINE_ROUTES="0"
    )
    connection.execute("set statement_timeout = 0")
    with run_functions(values) as functions:
        functions.post(_normal("order.shipped", order_id="1234", carrier="post"))
        connection.execute(
            "insert into dovecote.notification_routes (route_id, notification_id, position,"
            "  channel, target, user_id, address, priority, lane, status, max_attempts,"
            "  next_attempt_at, expires_at)"
            " select uuidv7(), notification_id, i, channel, target, user_id, address, priority,"
            "  lane, status, max_attempts, clock_timestamp() - i * interval '50 ms', expires_at"
            " from dovecote.notification_routes, generate_series(2, 50000) i"
            " where status = 'pending'"
        )
        functions.post(
            _normal(
                "comment.mention",
                author="Bea",
                thread_title="Swifts",
                excerpt="How high?",
                comment_url="https://nestbox.example/threads/1",
                unsubscribe_token="ann-5d2e81c07fa94b36",
            )
        )
        begun = time.time()
        functions.dispatch(context=Brief())
    row = connection.execute(
        "select date_part('epoch', published_at) from dovecote.notification_routes"
        " join dovecote.notifications using (notification_id)"
        " where kind = 'comment.mention' and status = 'published'"
    ).fetchone()
    assert row is not None
    assert row[0] - begun < 5
    times = sorted(one.time for one in provider.provider.ledger.accepted)
    assert (len(times) - 1) / (times[-1] - times[0]) == pytest.approx(14, rel=0.1)


def _normal(kind: str, **payload: str) -> dict[str, Any]:
    """Return a notification of a kind with normal priority."""
    return {
        "kind": kind,
        "idempotency_key": kind,
        "payload": {"first_name": "Ann", **payload},
        "recipients": [{"email": "success@simulator.amazonses.com"}],
    }
