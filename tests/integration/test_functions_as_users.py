"""Each function does all of its work as its own user of the database."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from dovecote.core.route import Reason
from dovecote.core.transitions import DeadLetter
from dovecote.store import queries, statements
from local.provider import Fault, Running
from tests.builders import claim_all
from tests.functions import Context, Functions, environment, run_functions
from tests.integration.test_best_effort import email_only, order
from tests.integration.test_delivering import PHONE, applications, register
from tests.integration.test_feedback import row
from tests.integration.test_http import ADDRESS, a_body
from tests.integration.test_roles import RUNS, as_user, names, users
from tests.integration.test_suppressions import suppress
from tests.store import Store

Connection = psycopg.Connection[Any]
As = Callable[..., AbstractContextManager[Functions]]

__all__ = ["applications", "names", "users"]
WAYS = ((queries, "statement"), (queries, "numbered"))
"""Every place where the store looks a statement up."""

PERMANENT = {"status": 400, "code": "BadRequestException", "message": "refused"}


def noting(look_up: Callable[[str], Any], ran: set[str]) -> Callable[[str], Any]:
    def noted(name: str) -> Any:
        ran.add(name)
        return look_up(name)

    return noted


@pytest.fixture
def as_function(
    connection: Connection,
    users: dict[str, str],
    database_url: str,
    provider: Running,
    catalog_folder: Path,
    applications: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> As:
    """Wire the functions as the user of one, which runs what it is said to run and no more."""

    @contextmanager
    def wired(function: str, **settings: str) -> Iterator[Functions]:
        ran: set[str] = set()
        for module, way in WAYS:
            monkeypatch.setattr(module, way, noting(getattr(statements, way), ran))
        values = environment(
            as_user(connection, database_url, users[function]),
            provider.url,
            catalog_folder,
            **{
                "BACKOFF_BASE_SECONDS": "0",
                "PAUSE_BASE_SECONDS": "0.1",
                "INLINE_ROUTES": "2",
                "PUSH_APPLICATION_ARNS": ",".join((applications["APNS"], applications["GCM"])),
                "POWERTOOLS_LOG_LEVEL": "DEBUG",
            }
            | settings,
        )
        with run_functions(values) as functions:
            yield functions
        for module, way in WAYS:
            monkeypatch.setattr(module, way, getattr(statements, way))
        printed = capsys.readouterr().out
        # What the best effort of submit failed on is said at debug alone, by its kind.
        assert not [word for word in ("InsufficientPrivilege", "StoreFailed") if word in printed]
        assert ran <= RUNS[function]

    return wired


def count(connection: Connection, table: str) -> int:
    found = connection.execute(f"select count(*) from {table}".encode()).fetchone()  # noqa: S608
    assert found is not None
    return int(found[0])


def statuses(connection: Connection) -> list[Any]:
    return connection.execute(
        "select channel, status from notification_routes order by position, channel"
    ).fetchall()


def emails(number: int) -> dict[str, Any]:
    recipients = [
        {"email": f"success+{n}@simulator.amazonses.com", "data": {"first_name": "Ann"}}
        for n in range(number)
    ]
    return email_only(recipients=recipients)


# Submit.


def test_submit_stores_tries_at_once_and_answers_again(
    as_function: As, connection: Connection
) -> None:
    with as_function("Api") as functions:
        assert register(functions, "phone", "apns", "a" * 64) == 200
    with as_function("Submit") as functions:
        assert functions.post(a_body()).status == 202
        assert functions.post(a_body()).headers["idempotent-replayed"] == "true"
    assert statuses(connection) == [("email", "published"), ("push", "published")]
    assert count(connection, "email_deliveries") == 1


def test_submit_keeps_the_rate_that_dispatch_has_learnt(
    as_function: As, connection: Connection
) -> None:
    connection.execute("update channel_state set rate = 100 where resource = 'email'")
    with as_function("Submit") as functions:
        assert functions.post(emails(2)).status == 202
    assert statuses(connection) == [("email", "published")] * 2
    reserved = "select next_slot_at is not null from channel_state where resource = 'email'"
    assert connection.execute(reserved).fetchone() == (True,)


@pytest.mark.parametrize(
    ("fault", "more", "status"),
    [
        (Fault.ERROR, {}, "retrying"),
        (Fault.ERROR, PERMANENT, "dead_lettered"),
        (Fault.THROTTLE, {}, "pending"),
        (Fault.CLOSE_AFTER_ACCEPTING, {}, "retrying"),
    ],
)
def test_submit_writes_down_whatever_becomes_of_its_attempt(
    as_function: As,
    connection: Connection,
    provider: Running,
    fault: Fault,
    more: dict[str, Any],
    status: str,
) -> None:
    order(provider, fault, times=1, **more)
    with as_function("Submit") as functions:
        assert functions.post(email_only()).status == 202
        assert row(connection, "status, claim_token") == (status, None)
        assert functions.post(email_only(idempotency_key="and the next one")).status == 202
    assert count(connection, "notification_dead_letters") == (status == "dead_lettered")


def test_submit_buries_a_device_that_the_provider_has_disabled(
    as_function: As, connection: Connection, provider: Running
) -> None:
    with as_function("Api") as functions:
        assert register(functions, "phone", "apns", "a" * 64) == 200
    order(provider, Fault.ERROR, service="sns", status=400, code="EndpointDisabled", times=1)
    with as_function("Submit") as functions:
        functions.post(a_body())
    assert statuses(connection) == [("email", "published"), ("push", "dead_lettered")]
    assert connection.execute("select dead_at is not null from push_devices").fetchone() == (True,)


# Dispatch.


@pytest.fixture
def due(
    database_url: str, provider: Running, catalog_folder: Path
) -> Callable[[dict[str, Any]], None]:
    """Store a notification as the owner, and try nothing of it."""

    def store(body: dict[str, Any]) -> None:
        values = environment(database_url, provider.url, catalog_folder, INLINE_ROUTES="0")
        with run_functions(values) as functions:
            assert functions.post(body).status == 202

    return store


Due = Callable[[dict[str, Any]], None]


def test_dispatch_asks_for_its_rate_and_keeps_to_it(
    as_function: As, connection: Connection, due: Due, capsys: pytest.CaptureFixture[str]
) -> None:
    due(emails(10))
    with as_function("Dispatch") as functions:
        tally = functions.dispatch()
        assert "gauges not read" not in capsys.readouterr().out
    assert (tally["published"], tally["interrupted"]) == (10, 0)
    kept = "select rate, next_slot_at is not null from channel_state where resource = 'email'"
    assert connection.execute(kept).fetchone() == (1000.0, True)


def test_dispatch_retries_and_dead_letters(
    as_function: As, connection: Connection, due: Due, provider: Running
) -> None:
    order(provider, Fault.ERROR)
    due(email_only())
    with as_function("Dispatch") as functions:
        tally = functions.dispatch()
    assert (tally["retrying"], tally["dead_lettered"]) == (3, 1)
    assert count(connection, "notification_dead_letters") == 1


def test_dispatch_pauses_and_goes_on(
    as_function: As, connection: Connection, due: Due, provider: Running
) -> None:
    order(provider, Fault.ERROR, status=400, code="SendingPausedException", times=1)
    order(provider, Fault.THROTTLE, times=1)
    order(provider, Fault.CLOSE_BEFORE_ACCEPTING, times=1)
    due(emails(3))
    with as_function("Dispatch") as functions:
        tally = functions.dispatch()
    assert (tally["published"], tally["interrupted"]) == (3, 0)
    assert tally["given_back"] > 0
    assert connection.execute("select max(pauses) from channel_state").fetchone() != (0,)


def test_dispatch_pauses_one_identity(
    as_function: As, connection: Connection, due: Due, provider: Running
) -> None:
    order(provider, Fault.ERROR, status=403, code="AccessDeniedException")
    due(emails(3))
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
    assert resources == {"email", "push", "email/example.com"}


def test_dispatch_takes_over_from_a_worker_that_died(
    as_function: As, connection: Connection, store: Store, due: Due
) -> None:
    due(email_only())
    assert len(claim_all(store)) == 1
    connection.execute("update notification_routes set leased_until = now() - interval '1 hour'")
    with as_function("Dispatch") as functions:
        assert functions.dispatch()["published"] == 1


def test_dispatch_ends_what_expires_behind_a_pause(
    as_function: As, connection: Connection, due: Due
) -> None:
    due(email_only())
    connection.execute(
        "update channel_state set paused_until = now() + interval '1 hour', in_a_row = 1"
        " where resource = 'email'"
    )
    connection.execute("update notification_routes set expires_at = now() - interval '1 second'")
    with as_function("Dispatch") as functions:
        assert functions.dispatch()["dead_lettered"] == 1
    assert row(connection, "last_error") == (None,)


def test_dispatch_buries_a_device_that_is_dead_and_skips_one_that_is_gone(
    as_function: As, connection: Connection, due: Due, provider: Running
) -> None:
    with as_function("Api") as functions:
        assert register(functions, "phone", "apns", "a" * 64) == 200
        assert register(functions, "tablet", "fcm", "b" * 64) == 200
    order(provider, Fault.ERROR, service="sns", status=400, code="EndpointDisabled", times=1)
    due(a_body())
    connection.execute("delete from push_devices where platform = 'fcm'")
    with as_function("Dispatch") as functions:
        tally = functions.dispatch()
    assert (tally["published"], tally["dead_lettered"], tally["skipped"]) == (1, 1, 1)
    assert connection.execute("select count(dead_at) from push_devices").fetchone() == (1,)


# Api.


def test_api_shows_and_cancels(as_function: As, due: Due, connection: Connection) -> None:
    due(email_only())
    (notification_id,) = row(connection, "notification_id")
    path = f"/notifications/{notification_id}"
    with as_function("Api") as functions:
        assert functions.call("GET", path).status == 200
        assert functions.call("DELETE", path).body == {"cancelled": 1, "in_flight": 0, "ended": 0}


def test_api_redrives(as_function: As, due: Due, connection: Connection, store: Store) -> None:
    due(email_only())
    (claim,) = claim_all(store)
    with store.transaction() as transaction:
        end = DeadLetter(reason=Reason.PERMANENT, error="e")
        transaction.dead_letter(claim.token, {claim.route_id: end})
    body = json.dumps({"expires_at": "2999-01-01T00:00:00Z"}).encode()
    path = f"/dead-letters/{claim.route_id}/redrive"
    with as_function("Api") as functions:
        assert functions.call("POST", path, body).status == 202
        assert functions.call("POST", path).status == 409
    letters = connection.execute("select closed_as from notification_dead_letters").fetchall()
    assert letters == [("redriven",)]


def test_api_keeps_devices(as_function: As, connection: Connection) -> None:
    with as_function("Api") as functions:
        for session, token in (("phone", "a"), ("phone", "b"), ("tablet", "b"), ("phone", "c")):
            assert register(functions, session, "apns", token * 64) == 200
        assert functions.call("DELETE", PHONE).status == 204
    assert count(connection, "push_devices") == 1


def test_api_suppresses_and_lets_go(as_function: As, connection: Connection) -> None:
    path = f"/suppressions?email={ADDRESS.replace('+', '%2B')}"
    with as_function("Api") as functions:
        assert [suppress(functions).status for _ in range(2)] == [200, 200]
    with as_function("Submit") as functions:
        assert functions.post(email_only()).body["routes"][0]["status"] == "skipped"
    with as_function("Api") as functions:
        assert functions.call("GET", path).status == 200
        assert functions.call("DELETE", f"{path}&release=true").body == {"released": 1}
    assert statuses(connection) == [("email", "pending")]


def test_dispatch_skips_what_is_suppressed(
    as_function: As, connection: Connection, due: Due
) -> None:
    due(email_only())
    with as_function("Api") as functions:
        suppress(functions)
    with as_function("Dispatch") as functions:
        assert functions.dispatch()["skipped"] == 1
    assert row(connection, "last_error") == ("address is suppressed: manual",)


# Feedback.


def an_event(kind: str, message_id: str, route_id: UUID, **more: Any) -> str:
    tags = {"route_id": [str(route_id)], "claim": ["1"]}
    mail = {"messageId": message_id, "tags": tags}
    detail = {"eventType": kind, "mail": mail, **more}
    return json.dumps({"source": "aws.ses", "detail": detail})


def test_feedback_settles_and_rejects(
    as_function: As, connection: Connection, store: Store, provider: Running, due: Due
) -> None:
    due(emails(2))
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
    due(email_only())
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
    due(email_only())
    (claim,) = claim_all(store)
    with store.transaction() as transaction:
        end = DeadLetter(reason=Reason.AMBIGUOUS, error="e")
        transaction.dead_letter(claim.token, {claim.route_id: end})
    with as_function("Feedback") as functions:
        functions.feedback(an_event("Send", "m-1", claim.route_id))
    letters = connection.execute("select closed_as from notification_dead_letters").fetchall()
    assert letters == [("settled",)]


def test_feedback_buries_a_device_that_sns_tells_of(
    as_function: As, connection: Connection
) -> None:
    with as_function("Api") as functions:
        assert register(functions, "phone", "apns", "a" * 64) == 200
    found = connection.execute("select endpoint from push_devices").fetchone()
    assert found is not None
    event = {
        "EventType": "DeliveryFailure",
        "FailureType": "EndpointDisabled",
        "EndpointArn": found[0],
        "Time": "2999-01-01T00:00:00Z",
    }
    with as_function("Feedback") as functions:
        assert functions.feedback(json.dumps(event)) == {"batchItemFailures": []}
    assert connection.execute("select count(dead_at) from push_devices").fetchone() == (1,)
