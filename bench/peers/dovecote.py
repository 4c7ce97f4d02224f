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
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import psycopg

from bench import routes
from bench.contender import CATALOG, PERSON_HASH_KEY
from bench.peers.job import payload
from bench.peers.line import Handled, await_end, await_start, say
from dovecote.channels import NAMES, base
from dovecote.core.claim import Claim
from dovecote.core.outcome import Delivered, Failed, Outcome, Permanent
from dovecote.dispatch.sending.circuit_breaker import CircuitBreaker
from dovecote.dispatch.sending.sender import Sender
from dovecote.store.schema.migrate import migrate
from dovecote.submit import submission
from dovecote.submit.submit import Submit
from dovecote.wiring import clients, delivery, observability
from dovecote.wiring import dispatch as wiring_dispatch
from dovecote.wiring import submit as wiring_submit
from dovecote.wiring.settings import Settings

RUN_SECONDS = 900.0
FOLLOW_SECONDS = 0.1
NUMBERS = itertools.count()


class Accepting:
    """A channel that accepts every message after `seconds`, 0 at once."""

    hold_seconds = 0.0
    keeps_acceptances = False
    batch_size = 1
    max_size = 0
    rate_from_provider = False

    def __init__(self, handled: Handled, seconds: float = 0.0) -> None:
        self._handled = handled
        self._seconds = seconds

    def connect(self) -> None:
        """Do nothing."""

    def resources(self, claim: Claim) -> Sequence[str]:
        """Return the channel alone."""
        return (claim.channel,)

    def batch_key(self, _claim: Claim) -> Hashable | None:
        """Return None: each message has a request of its own."""
        return None

    def prepare(self, claim: Claim) -> base.Prepared | Outcome:
        """Return a message without a text."""
        return base.Prepared(claim=claim)

    def send(self, messages: Sequence[base.Prepared]) -> Iterable[base.Reply]:
        """Answer one message."""
        time.sleep(self._seconds)
        self.count(len(messages))
        return [([message.claim], self.answer(message.claim)) for message in messages]

    def rate(self) -> float | None:
        """Return None: there is no limit."""
        return None

    def count(self, messages: int) -> None:
        """Count messages as handled."""
        self._handled.count += messages

    def answer(self, _claim: Claim) -> Outcome:
        """Accept it."""
        return Delivered(message_id=f"bench-{next(NUMBERS)}")


class Faulty(Accepting):
    """Fails 8 of 100 and refuses 2."""

    def answer(self, claim: Claim) -> Outcome:
        """Answer by the number of the route."""
        place = int(claim.idempotency_key) % 100
        if place < 8:
            return Failed(error="ThrottledByBench: the provider did not take it")
        return Permanent(error="RefusedByBench") if place < 10 else super().answer(claim)


class Direct(Sender):
    """Answers a batch in the thread that waits for it: the drain measures no threads of sends."""

    def send(
        self,
        claims: Sequence[Claim],
        *,
        breaker: CircuitBreaker,
        **_: Any,
    ) -> dict[UUID, Outcome]:
        """Answer each claim, and let the breaker record it."""
        channel = self.channel
        assert isinstance(channel, Accepting)
        outcomes = {
            claim.route_id: breaker.record(claim, (claim.channel,), channel.answer(claim))
            for claim in claims
        }
        channel.count(len(claims))
        return outcomes


def connect_to(url: str) -> None:
    """Let wiring connect to the database; before anything else is asked of it."""
    os.environ |= {
        "DATABASE_URL": url,
        "CATALOG_PATH": os.environ.get("CATALOG_PATH", str(CATALOG)),
        "EMAIL_FROM": "success@simulator.amazonses.com",
        "EMAIL_MAX_PER_SECOND": "900000",
        "PUSH_TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:bench",
        "INLINE_ROUTES": "0",
        "PERSON_HASH_KEY": PERSON_HASH_KEY,
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def send_by(channel: Accepting, in_flight: int = 0) -> None:
    """Let wiring send by this channel: so many messages at once, or directly where that is 0."""

    def senders(settings: Settings, by_name: Mapping[str, base.AnyChannel]) -> Mapping[str, Sender]:
        del settings, by_name  # the settings and channels of a real stack
        kind = Sender if in_flight else Direct
        return {
            name: kind(
                channel=channel,
                workers=in_flight or 1,
                send_seconds=12,
                clock=time.monotonic,
                sleep=time.sleep,
                span=observability.inner_span(),
                sent=partial(observability.measurements().sent, name),
            )
            for name in NAMES
        }

    delivery.senders = senders


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
    send_by(Accepting(Handled()))
    return wiring_submit.submit()


def _body(kind: str, told: Mapping[str, Any], recipients: Sequence[Any]) -> bytes:
    return json.dumps({"kind": kind, "payload": told, "recipients": recipients}).encode()


def _post(submit: Submit, number: int, body: bytes) -> None:
    submit(submission.parse(body, key=f"k{number}", traceparent=None))


def drain(url: str, milliseconds: int, in_flight: int, faulty: int = 0) -> None:
    """Run dispatch until nothing is due."""
    connect_to(url)
    handled = Handled()
    channel = Faulty(handled) if faulty else Accepting(handled, milliseconds / 1000)
    send_by(channel, in_flight if milliseconds else 0)
    random.seed()
    dispatch = wiring_dispatch.dispatch()
    clients.database().run(lambda connection: connection.execute("select 1"))
    await_start()
    handled.tell()
    ends = time.monotonic() + RUN_SECONDS
    dispatch(lambda: ends - time.monotonic())
    await_end()


def follow(url: str) -> None:
    """Run dispatch again and again."""
    connect_to(url)
    handled = Handled()
    send_by(Accepting(handled))
    dispatch = wiring_dispatch.dispatch()
    clients.database().run(lambda connection: connection.execute("select 1"))
    await_start()
    handled.tell()
    while True:
        dispatch(lambda: RUN_SECONDS)
        time.sleep(FOLLOW_SECONDS)


if __name__ == "__main__":
    order, url, *numbers = sys.argv[1:]
    orders: dict[str, Callable[..., None]] = {
        "install": install,
        "fill": fill,
        "enqueue": enqueue,
        "bulk": bulk,
        "drain": drain,
        "follow": follow,
    }
    orders[order](url, *map(int, numbers))
