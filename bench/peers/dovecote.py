"""Dovecote as its wiring assembles it; only the sends end here.

Routes are pushes to the topic, of which no delivery is kept but in the route. A no-op delivery
writes each route twice: claimed (attempt, claim, token, lease) and published.
"""

import itertools
import json
import os
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from bench import routes
from bench.peers.job import payload
from bench.peers.line import Handled, await_end, await_start, say
from dovecote.catalog.check_payload import CheckPayload
from dovecote.channels import base
from dovecote.core.channel_state import SendSlots
from dovecote.core.claim import Claim
from dovecote.core.outcome import Delivered, Failed, Outcome, Permanent, Result
from dovecote.core.route import Channel
from dovecote.dispatch.calls import Call
from dovecote.dispatch.circuit_breaker import CircuitBreaker
from dovecote.dispatch.deliver import Deliver
from dovecote.dispatch.pool import Pool, one_by_one
from dovecote.store.schema.migrate import migrate
from dovecote.submit import submission
from dovecote.submit.submit import Submit
from dovecote.wiring import database, delivery, metrics, tracing
from dovecote.wiring import dispatch as wiring_dispatch
from dovecote.wiring import submit as wiring_submit
from dovecote.wiring.settings import Settings

CATALOG = Path(__file__).parents[2] / "layers" / "catalog" / "catalog"
RUN_SECONDS = 900.0
NUMBERS = itertools.count()


class Immediate:
    """Takes every message at once."""

    def __init__(self, handled: Handled) -> None:
        self._handled = handled

    def resources(self, claim: Claim) -> Sequence[str]:
        """Return the channel alone."""
        return (claim.channel,)

    def late(self) -> list[Result]:
        """Return nothing: nothing is late."""
        return []

    def deliver(
        self,
        claims: Sequence[Claim],
        begin_before: float,
        slots: SendSlots,
        breaker: CircuitBreaker,
        early: base.Early | None = None,
    ) -> dict[UUID, Outcome]:
        """Answer each claim, and let the gate hear it."""
        del begin_before, slots, early  # all is over at once
        outcomes = {
            claim.route_id: breaker.heard(claim, (claim.channel,), self.answer(claim))
            for claim in claims
        }
        self._handled.count += len(claims)
        return outcomes

    def answer(self, _claim: Claim) -> Outcome:
        """Accept it."""
        return Delivered(message_id=f"bench-{next(NUMBERS)}")


class Faulty(Immediate):
    """Fails 8 of 100 and refuses 2."""

    def answer(self, claim: Claim) -> Outcome:
        """Answer by the number of the route."""
        place = int(claim.idempotency_key) % 100
        if place < 8:
            return Failed(error="ThrottledByBench: the provider did not take it")
        return Permanent(error="RefusedByBench") if place < 10 else super().answer(claim)


class Slow(Immediate):
    """Takes a while for each message, as many side by side as Dovecote's pool has threads."""

    def __init__(self, handled: Handled, seconds: float, in_flight: int) -> None:
        super().__init__(handled)
        self._seconds = seconds
        self._pool = Pool(
            workers=in_flight,
            send_seconds=12,
            clock=time.monotonic,
            sleep=time.sleep,
            span=tracing.inner_span(),
            sent=partial(metrics.measurements().sent, Channel.EMAIL),
        )

    def deliver(
        self,
        claims: Sequence[Claim],
        begin_before: float,
        slots: SendSlots,
        breaker: CircuitBreaker,
        early: base.Early | None = None,
    ) -> dict[UUID, Outcome]:
        """Send by the pool."""
        calls = [Call(claims=[claim], slot=place) for place, claim in enumerate(claims)]
        send = one_by_one(self._send)
        return self._pool.deliver(send, self.resources, calls, begin_before, slots, breaker, early)

    def _send(self, claim: Claim) -> Outcome:
        time.sleep(self._seconds)
        self._handled.count += 1
        return self.answer(claim)


def connect_to(url: str) -> None:
    """Let wiring connect to the database; before anything else is asked of it."""
    os.environ |= {
        "DATABASE_URL": url,
        "CATALOG_PATH": str(CATALOG),
        "EMAIL_FROM": "success@simulator.amazonses.com",
        "EMAIL_MAX_PER_SECOND": "900000",
        "PUSH_TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:bench",
        "INLINE_ROUTES": "0",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def send_by(channel: Immediate) -> None:
    """Let wiring send by this channel."""

    def deliver(settings: Settings, by_name: Mapping[str, base.Channel]) -> Deliver:
        del by_name  # replaced by `channel`
        return Deliver(
            store=database.dispatch_store(),
            channels=dict.fromkeys(Channel, channel),
            check=CheckPayload(delivery.catalog()),
            clock=time.monotonic,
            send_seconds=settings.send_seconds,
            span=tracing.inner_span(),
        )

    delivery.deliver = deliver


def install(url: str) -> None:
    """Make the tables."""
    migrate(url)


def fill(url: str, count: int) -> None:
    """Store routes in bulk."""
    with psycopg.connect(url, autocommit=True) as connection:
        routes.fill(connection, count)


def enqueue(url: str, count: int) -> None:
    """Submit notifications of two routes one by one, from the bytes of their body."""
    submit = _submitting(url)
    recipients = [{"user_id": "u-1", "email": "success+ann@simulator.amazonses.com"}]
    bodies = [_body("order.shipped", payload(number), recipients) for number in range(count)]
    _post(submit, count, bodies[0])
    await_start()
    for number, body in enumerate(bodies):
        _post(submit, number, body)
    say(count)
    await_end()


def bulk(url: str, calls: int, size: int) -> None:
    """Submit notifications of a kind of one channel to so many recipients each.

    Their payload is as large as the jobs' of the peers.
    """
    submit = _submitting(url)
    users = [{"user_id": f"u-{place}"} for place in range(size)]
    told = {"order_id": "A00000001", "carrier": "DHL", "minutes": 20}
    body = _body("order.arriving", told, users)
    _post(submit, calls, body)
    await_start()
    for number in range(calls):
        _post(submit, number, body)
    say(calls * size)
    await_end()


def _submitting(url: str) -> Submit:
    connect_to(url)
    send_by(Immediate(Handled()))
    return wiring_submit.submit()


def _body(kind: str, told: Mapping[str, Any], recipients: Sequence[Any]) -> bytes:
    return json.dumps({"kind": kind, "payload": told, "recipients": recipients}).encode()


def _post(submit: Submit, number: int, body: bytes) -> None:
    submit(submission.parse(body, key=f"k{number}", traceparent=None))


def drain(url: str, milliseconds: int, in_flight: int, faulty: int = 0) -> None:
    """Run dispatch until nothing is due."""
    connect_to(url)
    handled = Handled()
    channel = Faulty(handled) if faulty else Immediate(handled)
    if milliseconds:
        channel = Slow(handled, milliseconds / 1000, in_flight)
    send_by(channel)
    random.seed()
    dispatch = wiring_dispatch.dispatch()
    database.database().run(lambda connection: connection.execute("select 1"))
    await_start()
    handled.tell()
    ends = time.monotonic() + RUN_SECONDS
    dispatch(lambda: ends - time.monotonic())
    await_end()


if __name__ == "__main__":
    order, url, *numbers = sys.argv[1:]
    orders: dict[str, Callable[..., None]] = {
        "install": install,
        "fill": fill,
        "enqueue": enqueue,
        "bulk": bulk,
        "drain": drain,
    }
    orders[order](url, *map(int, numbers))
