"""The process of which bench/email.py measures the CPU: it sends email by the real channel."""

import json
import os
import sys
import time
import uuid
from collections.abc import Callable, Sequence

import psycopg

from bench.peers.job import payload
from bench.peers.line import await_start, say
from dovecote.core.channel_state import ChannelState, SendSlots
from dovecote.core.claim import Claim
from dovecote.core.route import Target
from dovecote.dispatch.sending.circuit_breaker import CircuitBreaker
from dovecote.dispatch.sending.sender import Sender
from dovecote.store.schema.migrate import migrate
from dovecote.submit import submission
from dovecote.wiring import clients, delivery
from dovecote.wiring import dispatch as wiring_dispatch
from dovecote.wiring import submit as wiring_submit
from dovecote.wiring.settings import Settings, load

RUN_SECONDS = 900.0

KIND = "account.password_reset"
PAYLOAD = {"first_name": "Ann", "reset_url": "https://nestbox.example/r/1", "valid_minutes": 15}
"""A kind with one email, and its payload."""

# A trace for each, as where each was posted alone.
FILL = """
with notification as (
    insert into dovecote.notifications
        (notification_id, kind, idempotency_key, fingerprint, traceparent)
    select uuidv7(), 'order.shipped', n::text, decode(md5(n::text), 'hex'),
           '00-' || md5('trace' || n) || '-' || left(md5('span' || n), 16) || '-01'
    from generate_series(1, %s) n
    returning notification_id, idempotency_key
), payload as (
    insert into dovecote.notification_payloads (notification_id, payload_days, payload)
    select notification_id, -1, '{"order_id":"A' || lpad(idempotency_key, 8, '0')
        || '","carrier":"DHL","first_name":"Ann"}'
    from notification
)
insert into dovecote.notification_routes
    (route_id, notification_id, position, channel, target, user_id, address,
     address_hash, priority, lane, status, max_attempts, next_attempt_at, expires_at)
select uuidv7(), notification_id, 0, 'email', 'address', 'u-1',
       'success+' || idempotency_key || '@simulator.amazonses.com',
       decode(md5(idempotency_key), 'hex'), 1, 16,
       'pending', 0, now(), now() + interval '72 hours'
from notification
"""


def install(url: str) -> None:
    """Make the tables."""
    migrate(url)


def fill(url: str, count: int) -> None:
    """Store emails in bulk."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set statement_timeout = 0")
        connection.execute(FILL, (count,))


def alone(url: str, count: int) -> None:
    """Send claims that no database has seen, in batches as dispatch has them."""
    here = _settings(url)
    sender = _sender(here)
    claims = [_claim(number) for number in range(count)]
    _send(sender, [_claim(number) for number in range(here.dispatch_batch_size)])

    def send() -> None:
        for first in range(0, count, here.dispatch_batch_size):
            _send(sender, claims[first : first + here.dispatch_batch_size])

    _measured(send)


def drain(url: str) -> None:
    """Run dispatch until nothing is due."""
    here = _settings(url)
    # Another channel of the same client and the same templates.
    _send(_sender(here), [_claim(n) for n in range(100)])
    dispatch = wiring_dispatch.dispatch()
    clients.database().run(lambda connection: connection.execute("select 1"))
    ends = time.monotonic() + RUN_SECONDS
    _measured(lambda: dispatch(lambda: ends - time.monotonic()))


def job(url: str, count: int, _in_flight: int) -> None:
    """Submit emails one by one, then run dispatch until nothing is due."""
    _send(_sender(_settings(url)), [_claim(0)])
    submit, dispatch = wiring_submit.submit(), wiring_dispatch.dispatch()
    bodies = [_body(number) for number in range(count)]
    await_start()
    began = time.perf_counter()
    for number, body in enumerate(bodies):
        submit(submission.parse(body, key=str(number), traceparent=None))
    stored, cpu = time.perf_counter(), time.process_time()
    dispatch(lambda: RUN_SECONDS)
    say(f"took {stored - began} {time.perf_counter() - stored} {time.process_time() - cpu}")


def _body(number: int) -> bytes:
    """Return the body of a notification with one email."""
    recipient = {"email": f"success+{number}@simulator.amazonses.com"}
    return json.dumps({"kind": KIND, "payload": PAYLOAD, "recipients": [recipient]}).encode()


def _settings(url: str) -> Settings:
    os.environ["DATABASE_URL"] = url
    return load()


def _measured(run: Callable[[], object]) -> None:
    await_start()
    began = time.process_time()
    run()
    say(f"cpu {time.process_time() - began}")


def _sender(here: Settings) -> Sender:
    return delivery.senders(here, delivery.channels(here))["email"]


def _send(sender: Sender, claims: Sequence[Claim]) -> None:
    sender.send(
        claims,
        begin_before=time.monotonic() + RUN_SECONDS,
        slots=SendSlots(room=len(claims)),
        breaker=CircuitBreaker(ChannelState(channel="email")),
    )


def _claim(number: int) -> Claim:
    return Claim(
        route_id=uuid.uuid4(),
        channel="email",
        target=Target.ADDRESS,
        kind="order.shipped",
        idempotency_key=str(number),
        payload=json.dumps(payload(number)),
        traceparent=f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-01",
        user_id="u-1",
        device_session_id=None,
        address=f"success+{number}@simulator.amazonses.com",
        endpoint=None,
        locale=None,
        data=None,
        attempts=1,
        max_attempts=8,
        claims=1,
        counted=True,
        lapsed=False,
        in_doubt=False,
        expires_in=3600.0,
        lane=16,
        due=0.0,
        suppressed=None,
        token=uuid.uuid4(),
    )


if __name__ == "__main__":
    order, url, *numbers = sys.argv[1:]
    orders: dict[str, Callable[..., None]] = {
        "install": install,
        "fill": fill,
        "alone": alone,
        "drain": drain,
        "job": job,
    }
    orders[order](url, *map(int, numbers))
