"""Message ids are opaque: up to 4,096 bytes of them are kept."""

from typing import Any

import psycopg
import pytest

from dovecote.channels import NAMES
from dovecote.core.claim import Claim
from dovecote.core.feedback import Feedback, Verdict
from dovecote.core.outcome import Delivered, Result
from dovecote.core.route import Status
from tests.builders import a_finaliser, claim_all, store_routes
from tests.integration.opaque import WIDE, opaque
from tests.store import Store

Connection = psycopg.Connection[Any]


@pytest.mark.parametrize("width", WIDE)
@pytest.mark.parametrize("channel", NAMES)
def test_a_message_id_of_4096_bytes_is_kept_and_shown(
    store: Store, channel: str, width: int
) -> None:
    store_routes(store, 1, channel)
    (claim,) = claim_all(store)
    message_id = opaque(4096, width)
    result = Result(claim=claim, outcome=Delivered(message_id=message_id))
    a_finaliser().settle(store, [result], until=0)
    found = store.find(claim.kind, claim.idempotency_key)
    assert found is not None
    assert [(r.status, r.provider_message_id) for r in found.routes] == [
        (Status.PUBLISHED, message_id)
    ]


def an_event(claim: Claim, known: Verdict, message_id: str) -> Feedback:
    """Return what a provider reports of the send of a claim."""
    return Feedback(
        route_id=claim.route_id, claim=claim.claims, message_id=message_id, known=known, error=""
    )


@pytest.mark.parametrize("width", WIDE)
def test_events_with_message_ids_of_4096_bytes_accept_reject_and_repeat(
    store: Store, connection: Connection, width: int
) -> None:
    store_routes(store, 1)
    (claim,) = claim_all(store)
    first, second = opaque(4096, width), opaque(4092, width)
    result = Result(claim=claim, outcome=Delivered(message_id=first))
    a_finaliser().settle(store, [result], until=0)
    for _ in range(2):
        store.record_feedback(an_event(claim, Verdict.ACCEPTED, second))
        store.record_feedback(an_event(claim, Verdict.NOT_SENT, first))
    assert store.accepted([claim.route_id]) == {claim.route_id: second}
    rejected = connection.execute("select message_id from dovecote.email_rejections").fetchall()
    assert rejected == [(first,)]
    further = connection.execute("select message_id from dovecote.further_acceptances").fetchall()
    assert further == [(second,)]
