"""Start dispatchers as processes, and hold the provider's ledger against the database."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

import psycopg

from local.provider import Running
from tests.functions import ROOT

Connection = psycopg.Connection[Any]


def start(values: Mapping[str, str], *arguments: str) -> subprocess.Popen[str]:
    """Start a dispatcher."""
    path = os.pathsep.join((str(ROOT), str(ROOT / "layers" / "dovecote")))
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.worker", *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": path, **values},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def tally_of(process: subprocess.Popen[str], seconds: float = 100) -> dict[str, int]:
    """Wait for a dispatcher that is to end well, and return its tally."""
    out, err = process.communicate(timeout=seconds)
    assert process.returncode == 0, err
    tally: dict[str, int] = json.loads(out.splitlines()[-1])
    return tally


def acceptances(provider: Running) -> Counter[str]:
    """Count what the provider accepted by route."""
    accepted = provider.provider.ledger.accepted
    return Counter(row.content.tags["route_id"] for row in accepted)  # type: ignore[union-attr]


def published(connection: Connection) -> dict[str, str]:
    """Return the message id of each published route."""
    rows = connection.execute(
        "select route_id::text, provider_message_id from dovecote.notification_routes"
        " where status = 'published'"
    )
    return dict(rows.fetchall())


def store_emails(connection: Connection, addresses: list[str], max_attempts: int) -> None:
    """Store one due password reset with a route for each address."""
    payload = json.dumps(
        {
            "first_name": "Ann",
            "reset_url": "https://nestbox.example/reset/1",
            "valid_minutes": 15,
        }
    )
    connection.execute(
        "with n as (insert into dovecote.notifications"
        "  (notification_id, kind, idempotency_key, fingerprint, payload)"
        "  values (gen_random_uuid(), 'account.password_reset', 'k', 'f', %s)"
        "  returning notification_id)"
        " insert into dovecote.notification_routes (route_id, notification_id, position, channel,"
        "  target, resolved_email, priority, status, max_attempts, next_attempt_at, expires_at)"
        " select gen_random_uuid(), notification_id, position, 'email', 'address', address, 0,"
        "  'pending', %s, clock_timestamp(), clock_timestamp() + interval '1 hour'"
        " from n, unnest(%s::text[]) with ordinality as a (address, position)",
        (payload, max_attempts, addresses),
    )
