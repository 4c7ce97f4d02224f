"""Each function does its work with emails as its own user of the database."""

import json
from typing import Any
from uuid import UUID

import psycopg
import pytest

from dovecote.core.route import Reason
from dovecote.core.transitions import DeadLetter
from local.provider import Fault, Running
from tests.builders import ADDRESS, claim_all
from tests.functions import Context
from tests.integration.channels.email.test_suppressions import suppress
from tests.integration.test_feedback import row
from tests.integration.test_functions_as_users import As, Due, as_function, count, due, statuses
from tests.integration.test_roles import names, users
from tests.sending import DENIED, channel_body, order
from tests.store import Store

Connection = psycopg.Connection[Any]
__all__ = ["as_function", "due", "names", "users"]


def test_submit_puts_an_accepted_email_on_record(as_function: As, connection: Connection) -> None:
    with as_function("Submit") as functions:
        assert functions.post(channel_body()).status == 202
        assert functions.post(channel_body()).headers["idempotent-replayed"] == "true"
    assert statuses(connection) == [("email", "published")]
    assert count(connection, "email_deliveries") == 1


def test_submit_keeps_the_rate_that_dispatch_has_learnt(
    as_function: As, connection: Connection
) -> None:
    connection.execute("update channel_state set rate = 100 where resource = 'email'")
    with as_function("Submit") as functions:
        assert functions.post(channel_body(count=2)).status == 202
    assert statuses(connection) == [("email", "published")] * 2
    reserved = "select next_slot_at is not null from channel_state where resource = 'email'"
    assert connection.execute(reserved).fetchone() == (True,)


def test_dispatch_asks_for_its_rate_and_keeps_to_it(
    as_function: As, connection: Connection, due: Due, capsys: pytest.CaptureFixture[str]
) -> None:
    due(channel_body(count=10))
    with as_function("Dispatch") as functions:
        tally = functions.dispatch()
        assert "gauges not read" not in capsys.readouterr().out
    assert (tally["published"], tally["interrupted"]) == (10, 0)
    kept = "select rate, next_slot_at is not null from channel_state where resource = 'email'"
    assert connection.execute(kept).fetchone() == (1000.0, True)


def test_api_suppresses_and_lets_go(as_function: As, connection: Connection) -> None:
    path = f"/suppressions?email={ADDRESS.replace('+', '%2B')}"
    with as_function("Api") as functions:
        assert [suppress(functions).status for _ in range(2)] == [200, 200]
    with as_function("Submit") as functions:
        assert functions.post(channel_body()).body["routes"][0]["status"] == "skipped"
    with as_function("Api") as functions:
        assert functions.call("GET", path).status == 200
        assert functions.call("DELETE", f"{path}&release=true").body == {"released": 1}
    assert statuses(connection) == [("email", "pending")]


def test_dispatch_skips_what_is_suppressed(
    as_function: As, connection: Connection, due: Due
) -> None:
    due(channel_body())
    with as_function("Api") as functions:
        suppress(functions)
    with as_function("Dispatch") as functions:
        assert functions.dispatch()["skipped"] == 1
    assert row(connection, "last_error") == ("address is suppressed: manual",)


def an_event(kind: str, message_id: str, route_id: UUID, **more: Any) -> str:
    tags = {"route_id": [str(route_id)], "claim": ["1"]}
    mail = {"messageId": message_id, "tags": tags}
    detail = {"eventType": kind, "mail": mail, **more}
    return json.dumps({"source": "aws.ses", "detail": detail})


def test_feedback_settles_and_rejects(
    as_function: As, connection: Connection, store: Store, provider: Running, due: Due
) -> None:
    due(channel_body(count=2))
    lost, refused = claim_all(store)
    with as_function("Feedback") as functions:
        assert functions.feedback(
            an_event("Delivery", "m-1", lost.route_id),
            an_event("Delivery", "m-2", refused.route_id),
            an_event("Reject", "m-2", refused.route_id),
            an_event("Reject", "m-2", refused.route_id),
        ) == {"batchItemFailures": []}
    found = connection.execute("select status from notification_routes order by 1").fetchall()
    assert found == [("dead_lettered",), ("published",)]
    assert count(connection, "accepted_emails") == 1
    assert count(connection, "email_rejections") == 1


def test_feedback_notes_and_suppresses(
    as_function: As, connection: Connection, store: Store, due: Due
) -> None:
    due(channel_body())
    (claim,) = claim_all(store)
    bounce = {"timestamp": "2026-11-24T14:00:00Z", "bounceType": "Permanent"}
    with as_function("Feedback") as functions:
        assert functions.feedback(
            an_event("Bounce", "m-1", claim.route_id, bounce=bounce),
            an_event("Send", "m-2", claim.route_id),
        ) == {"batchItemFailures": []}
    assert count(connection, "suppressions") == 1
    assert count(connection, "further_acceptances") == 1


def test_feedback_settles_a_dead_letter(
    as_function: As, connection: Connection, store: Store, due: Due
) -> None:
    due(channel_body())
    (claim,) = claim_all(store)
    with store.transaction() as transaction:
        end = DeadLetter(reason=Reason.AMBIGUOUS, error="e")
        transaction.dead_letter(claim.token, {claim.route_id: end})
    with as_function("Feedback") as functions:
        functions.feedback(an_event("Send", "m-1", claim.route_id))
    letters = connection.execute("select closed_as from notification_dead_letters").fetchall()
    assert letters == [("settled",)]


def test_dispatch_pauses_one_identity(
    as_function: As, connection: Connection, due: Due, provider: Running
) -> None:
    order(provider, Fault.ERROR, **DENIED)
    due(channel_body(count=3))
    # A pause that is longer than the run: after a shorter one the same run probes again.
    with as_function("Dispatch", PAUSE_BASE_SECONDS="60") as functions:
        assert functions.dispatch(context=Context(remaining_ms=15_000))["given_back"] == 3
        provider.provider.withdraw()
        connection.execute("update channel_state set paused_until = now() where in_a_row > 0")
        connection.execute(
            "update notification_routes set next_attempt_at = now()"
            " where next_attempt_at is not null"
        )
        assert functions.dispatch()["published"] == 3
    resources = {
        resource for (resource,) in connection.execute("select resource from channel_state")
    }
    assert {one for one in resources if one.startswith("email")} == {"email", "email/example.com"}
