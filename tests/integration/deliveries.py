"""Deliver one claim as the dispatch function does."""

import time
from typing import Any

import psycopg

from dovecote.core.channel_state import ChannelState, SendSlots
from dovecote.core.claim import Claim
from dovecote.core.outcome import (
    Outcome,
    Result,
)
from dovecote.dispatch.deliver import Deliver
from dovecote.wiring import dispatch
from dovecote.wiring.settings import load
from tests.builders import (
    CHANNEL,
    claim_all,
)
from tests.functions import Functions
from tests.sending import channel_body
from tests.store import Store


def deliver(claim: Claim) -> Outcome:
    """Deliver a claim as the dispatch function does."""
    (result,) = perform(dispatch.dispatch().services.deliver, [claim], time.monotonic() + 30)
    assert result.claim == claim
    return result.outcome


def perform(deliver: Deliver, claims: list[Claim], deadline: float) -> list[Result]:
    """Deliver claims of one channel, of which nothing is known."""
    channel_state = ChannelState(channel=claims[0].channel if claims else CHANNEL)
    slots = SendSlots(room=len(claims))
    return list(
        deliver(claims, channel_state=channel_state, slots=slots, deadline=deadline).results
    )


def claim_of(functions: Functions, store: Store, **overrides: Any) -> Claim:
    """Store a notification of one route for later, and claim it now."""
    functions.post(channel_body(deliver_at="2999-01-01T00:00:00Z", **overrides))
    with psycopg.connect(load().database_url, autocommit=True) as own:
        own.execute("update dovecote.notification_routes set next_attempt_at = now()")
    (claim,) = claim_all(store)
    return claim
