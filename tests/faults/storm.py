"""A storm of SIGKILLs over submit and dispatch, and the reckoning after it."""

import json
import random
import signal
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from local.provider import Running
from local.provider.ledger import Email
from tests.faults.processes import Connection, acceptances, drained, held_against_ledger
from tests.faults.worker import POINTS, Nursery, Stop, Worker
from tests.functions import http_event

RECIPIENTS = 4
WAVE = 4


@dataclass
class Storm:
    """What was killed where, and what had been acknowledged before."""

    kind: str
    kills: Counter[tuple[str, str]] = field(default_factory=Counter)
    acknowledged: dict[str, str] = field(default_factory=dict)
    held: set[tuple[str, int]] = field(default_factory=set)  # claims of workers that were killed

    @property
    def count(self) -> int:
        return sum(self.kills.values())


BOTH = "order.shipped"
EMAIL = "digest.weekly"
PAYLOADS: Mapping[str, Mapping[str, Any]] = {
    BOTH: {"order_id": "1234", "carrier": "DHL"},
    EMAIL: {
        "week": "16 November",
        "articles": [{"title": "T", "summary": "S", "url": "https://nestbox.example/1"}],
        "unsubscribe_token": "0123456789abcdef",
    },
}
ROUTES = {BOTH: 2 * RECIPIENTS, EMAIL: RECIPIENTS}


def a_notification(key: str, kind: str) -> dict[str, Any]:
    """Return the event of a notification with an email, or with a push to the topic as well."""
    body = {
        "kind": kind,
        "idempotency_key": key,
        "payload": PAYLOADS[kind],
        "recipients": [
            {
                "user_id": f"u-{n}",
                "email": f"success+{key}-{n}@simulator.amazonses.com",
                "data": {"first_name": "Ann"},
            }
            for n in range(RECIPIENTS)
        ],
    }
    return http_event("POST", "/notifications", json.dumps(body).encode())


def blow(
    nursery: Nursery,
    kills: int,
    chance: random.Random,
    *,
    kind: str = BOTH,
    points: Mapping[str, tuple[str, ...]] = POINTS,
    wave: int = WAVE,
) -> Storm:
    """Kill so many workers, at each point in turn; a producer sends again until it has its 202.

    `wave` workers run at the same time.
    """
    storm = Storm(kind=kind)
    steps = cycle([(function, point) for function in points for point in points[function]])
    while storm.count < kills:
        struck = [(*next(steps), f"{chance.getrandbits(64):016x}") for _ in range(wave)]
        for function, _, key in struck:
            if function == "dispatch":  # which needs something to do
                _submit(nursery, storm, key, INLINE_ROUTES="0")
        begun = [
            nursery.begin(
                function,
                a_notification(key, kind) if function == "submit" else {},
                stop=_stop(function, point, chance),
            )
            for function, point, key in struck
        ]
        for (function, point, key), worker in zip(struck, begun, strict=True):
            if worker.ended() == -signal.SIGKILL:
                storm.kills[function, point] += 1
                storm.held |= worker.held
            if function == "submit":
                _acknowledge(storm, key, worker)
                _submit(nursery, storm, key)
    return storm


def reckon(
    storm: Storm, nursery: Nursery, connection: Connection, provider: Running
) -> dict[str, Any]:
    """Let all end, and hold what was acknowledged, stored and accepted against each other."""
    drained(nursery, connection, 90, workers=2)
    time.sleep(0.3)
    notifications = dict(
        connection.execute(
            "select idempotency_key, notification_id::text from dovecote.notifications"
        ).fetchall()
    )
    assert storm.acknowledged.items() <= notifications.items(), "an acknowledged one is lost"
    assert (
        connection.execute(
            "select notification_id from dovecote.notification_routes"
            " group by notification_id having count(*) <> %s",
            (ROUTES[storm.kind],),
        ).fetchall()
        == []
    ), "a notification is stored in part"
    account = held_against_ledger(connection, provider)
    assert account["agree"], account["wrong"]
    assert account["live"] == 0
    twice = {route for route, count in acceptances(provider).items() if count > 1}
    return {"sent_twice": len(twice), "unexplained": _unexplained(storm, provider, twice)}


def _unexplained(storm: Storm, provider: Running, twice: set[str]) -> list[str]:
    """Return what was sent twice, though no worker that was killed held its first claim.

    An email names its claim; of a push the route has to do.
    """
    routes = {route_id for route_id, _ in storm.held}
    unexplained = []
    for route_id in twice:
        *earlier, _ = [row for row in provider.provider.ledger.accepted if row.route_id == route_id]
        for row in earlier:
            claim = int(row.content.tags["claim"]) if isinstance(row.content, Email) else None
            known = route_id in routes if claim is None else (route_id, claim) in storm.held
            unexplained += [] if known else [f"{row.service} {route_id} {claim}"]
    return unexplained


def _stop(function: str, point: str, chance: random.Random) -> Stop:
    # A later send of a batch has others before it that were accepted. Submit tries two emails at
    # once in one call; six of dispatch's are three calls.
    sends = 1 if function == "submit" else 3
    nth = chance.randint(1, sends) if point in ("before send", "after acceptance") else 1
    return Stop(point=point, nth=nth)


def _submit(nursery: Nursery, storm: Storm, key: str, **environment: str) -> None:
    """Send a notification until it is acknowledged; a killed function gave its producer a 500."""
    while key not in storm.acknowledged:
        worker = nursery.begin("submit", a_notification(key, storm.kind), **environment)
        assert worker.ended() == 0
        _acknowledge(storm, key, worker)


def _acknowledge(storm: Storm, key: str, worker: Worker) -> None:
    answer = worker.answered
    if answer is None:
        return
    if answer["statusCode"] == 409:  # the first is still being stored
        time.sleep(0.1)
        return
    assert answer["statusCode"] == 202, answer
    notification_id = json.loads(answer["body"])["notification_id"]
    assert storm.acknowledged.setdefault(key, notification_id) == notification_id
