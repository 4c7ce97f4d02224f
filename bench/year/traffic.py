"""Make a little traffic by Dovecote's own code, with all outcomes of routes."""

import json
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

from bench.peers.dovecote import Accepting, connect_to, send_by
from bench.peers.line import Handled
from dovecote.core.claim import Claim
from dovecote.core.device import Device
from dovecote.core.feedback import DeliveryEvent, Feedback, Verdict
from dovecote.core.outcome import Delivered, Failed, Outcome, Permanent
from dovecote.dispatch.dispatch import Dispatch
from dovecote.store.people.devices import PostgresDevices
from dovecote.submit import submission
from dovecote.wiring import api, clients, feedback
from dovecote.wiring import dispatch as wiring_dispatch
from dovecote.wiring import submit as wiring_submit
from dovecote.wiring.settings import person_hash

USERS = 400
"""How many people the crowd has."""

RUN_SECONDS = 900.0

WORDS = (
    "nest", "box", "swift", "tit", "owl", "perch", "seed", "roof",
    "hole", "pole", "oak", "moss", "egg", "wing", "song", "dawn",
)  # fmt: skip
DIGEST, MENTION = "digest.weekly", "comment.mention"
"""Kinds of one route and of two to each recipient, with payloads of about 2 KB on average."""


class Year(Accepting):
    """A channel that accepts most messages, fails some once and refuses a few."""

    def __init__(self) -> None:
        super().__init__(Handled())
        self.accepted: list[tuple[Claim, str]] = []
        self._numbers = count()

    def answer(self, claim: Claim) -> Outcome:
        """Answer by the number of the message."""
        place = next(self._numbers) % 100
        if place in {17, 61} and "heavy" not in (claim.user_id or ""):
            return Permanent(error="MessageRejected: refused by the bench")
        if place in {23, 42, 77} and claim.attempts == 1:
            return Failed(error="ServiceUnavailable: failed by the bench")
        message_id = f"{uuid.uuid4()}-000000"
        self.accepted.append((claim, message_id))
        return Delivered(message_id=message_id)


class Live:
    """Dovecote on a database, with a channel that answers at once."""

    def __init__(self, url: str) -> None:
        connect_to(url)
        self.channel = Year()
        send_by(self.channel)
        self.submit = wiring_submit.submit()
        self.dispatch: Dispatch = wiring_dispatch.dispatch()
        self._keys = count()

    def post(self, kind: str, people: Sequence[tuple[str, str]]) -> uuid.UUID:
        """Submit a notification to users with addresses; return its id."""
        number = next(self._keys)
        recipients = [{"user_id": user, "email": email} for user, email in people]
        body = {"kind": kind, "payload": payload(kind, number), "recipients": recipients}
        key = f"{uuid.uuid4()}-{number}"
        return self.submit(
            submission.parse(json.dumps(body).encode(), key=key, traceparent=None)
        ).notification_id

    def drain(self) -> int:
        """Dispatch until nothing is due; return how many routes were published."""
        published = self.dispatch(lambda: RUN_SECONDS)["published"]
        return published + self.drain() if published else 0

    def report(self, event: str, share: int) -> int:
        """Report an event of each `share`-th email that was accepted since the last call."""
        accepted, self.channel.accepted = self.channel.accepted, []
        emails = [one for one in accepted if one[0].channel == "email"][::share]
        for claim, message_id in emails:
            feedback.record_feedback().store.record_feedback(_reported(claim, message_id, event))
        return len(emails)


def crowd(live: Live, notifications: int) -> None:
    """Send to many people; some have devices, and a few addresses are suppressed."""
    people = [(f"u-{n}", f"success+{n}@simulator.amazonses.com") for n in range(USERS)]
    for user, _ in people[::2]:
        register(user, "phone")
    for _, email in people[:: USERS // 8]:
        api.suppressions().put(json.dumps({"email": email}).encode())
    ids = [live.post(kind_of(n), [people[n * 7 % USERS]]) for n in range(notifications)]
    for notification_id in ids[::97]:
        api.notifications().cancel(str(notification_id))
    live.drain()
    live.report("delivered", 3)


HEAVY = {"erased": 200, "erased-a-little": 20, "with-a-device": 200, "suppressed": 200}
"""The people with much history, and how many notifications each has before they are copied."""


def heavy_user(name: str) -> str:
    """Return the user id of a person with much history."""
    return f"heavy-{name}"


def heavy_address(name: str) -> str:
    """Return the address of a person with much history."""
    return f"success+heavy-{name}@simulator.amazonses.com"


def heavy(live: Live) -> None:
    """Send so often to a few people that the copies make a long history."""
    api.suppressions().put(json.dumps({"email": heavy_address("suppressed")}).encode())
    register(heavy_user("with-a-device"), "phone")
    for name, routes in HEAVY.items():
        kind, most = (MENTION, routes // 3) if name == "with-a-device" else (DIGEST, routes)
        for _ in range(most):
            live.post(kind, [(heavy_user(name), heavy_address(name))])
    live.drain()
    live.channel.accepted.clear()


def register(user: str, session: str) -> None:
    """Store a device, without its endpoint at a provider."""
    PostgresDevices(clients.database(), person_hash()).put(
        Device(
            user_id=user,
            device_session_id=f"{user}-{session}",
            platform="fcm",
            token=uuid.uuid4().hex * 4,
            endpoint=f"arn:aws:sns:us-east-1:000000000000:endpoint/GCM/bench/{uuid.uuid4().hex}-e",
        )
    )


def kind_of(number: int) -> str:
    """Return the kind of a notification; all have 1.3 routes on average."""
    return MENTION if number % 10 in {2, 5, 8} else DIGEST


def payload(kind: str, number: int) -> dict[str, Any]:
    """Return a payload of 2.3 KB, or one of 1.3 KB for the kind with two routes."""
    words = _words(number)
    token = uuid.UUID(int=number).hex
    if kind == MENTION:
        return {
            "first_name": "Ann", "author": "Bea", "thread_title": next(words),
            "excerpt": " ".join(next(words) for _ in range(40)), "unsubscribe_token": token,
            "comment_url": "https://nestbox.example/" + "-".join(next(words) for _ in range(48)),
        }  # fmt: skip
    articles = [
        {
            "title": " ".join(next(words) for _ in range(4)),
            "summary": " ".join(next(words) for _ in range(20)),
            "url": f"https://nestbox.example/{next(words)}/{next(words)}",
        }
        for _ in range(7)
    ]
    return {
        "first_name": "Ann", "week": "16 November", "articles": articles,
        "unsubscribe_token": token,
    }  # fmt: skip


def _words(number: int) -> Iterator[str]:
    """Yield words that compress like text."""
    digest = uuid.uuid5(uuid.NAMESPACE_OID, str(number)).int
    for place in count():
        digest = digest * 6364136223846793005 + 1442695040888963407 & (1 << 128) - 1
        yield f"{WORDS[digest >> 100 & 15]}{digest >> 90 & 1023 if place % 3 == 0 else ''}"


def _reported(claim: Claim, message_id: str, event: str) -> Feedback:
    return Feedback(
        route_id=claim.route_id,
        claim=claim.claims,
        message_id=message_id,
        known=Verdict.ACCEPTED,
        note=DeliveryEvent(event=event, at=datetime.now(UTC)),
    )
