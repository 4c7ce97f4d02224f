"""The largest notifications to devices are stored, and larger ones are refused."""

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from local.provider import Running
from tests.catalogs import write_catalog
from tests.functions import environment, run_functions
from tests.integration.test_checking_work import body, routes, text

Connection = psycopg.Connection[Any]


@pytest.fixture
def many_devices(connection: Connection) -> list[dict[str, Any]]:
    """A thousand users with ten devices each, whose ids are as long as may be."""
    connection.execute(
        "insert into dovecote.push_devices (user_id, device_session_id, platform, token, endpoint)"
        " select 'u-' || u || repeat('u', 40), 'd-' || d || '-' || u, 'fcm', 't' || u || '-' || d,"
        " 'arn:aws:sns:us-east-1:1:endpoint/GCM/app/' || u || '-' || d"
        " from generate_series(0, 999) u, generate_series(1, 10) d"
    )
    return [{"user_id": f"u-{u}{'u' * 40}"} for u in range(1000)]


def push_kind(tmp_path: Path) -> Path:
    return write_catalog(tmp_path, {"of.push": {"channels": ["push"]}})


@pytest.mark.parametrize("data", [{}, {"data": {"z": "z" * 700}}], ids=["shared", "own"])
def test_ten_thousand_routes_are_stored(
    database_url: str,
    provider: Running,
    tmp_path: Path,
    connection: Connection,
    many_devices: list[dict[str, Any]],
    data: dict[str, Any],
) -> None:
    catalog = push_kind(tmp_path)
    recipients = [{**one, **data} for one in many_devices]
    one = body("of.push", payload={"order": "1"}, recipients=recipients)
    with run_functions(
        environment(database_url, provider.url, catalog, INLINE_ROUTES="0", PUSH_TOPIC_ARN="")
    ) as wired:
        answer = wired.post(text(one))
        assert answer.status == 202, answer.body
        assert len(json.dumps(answer.body)) < 6_000_000
        again = wired.post(text(one))
        assert (again.status, again.headers["idempotent-replayed"]) == (202, "true")
        assert wired.submit_messages(text({**one, "idempotency_key": "sqs"}).decode()) == {
            "batchItemFailures": []
        }
    assert routes(connection) == 20_000


def test_data_that_would_be_stored_too_often_is_too_large(
    database_url: str,
    provider: Running,
    tmp_path: Path,
    connection: Connection,
    many_devices: list[dict[str, Any]],
) -> None:
    recipients = [{**one, "data": {"z": "z" * 900}} for one in many_devices]
    one = body("of.push", payload={}, recipients=recipients)
    with run_functions(
        environment(database_url, provider.url, push_kind(tmp_path), PUSH_TOPIC_ARN="")
    ) as wired:
        answer = wired.post(text(one))
    assert answer.status == 413
    assert "8 MiB" in answer.body["detail"]
    assert routes(connection) == 0


def test_an_answer_with_the_longest_ids_leaves_out_the_routes(
    database_url: str, provider: Running, tmp_path: Path, connection: Connection
) -> None:
    user = "\N{GRINNING FACE}" * 250
    connection.execute(
        "insert into dovecote.push_devices (user_id, device_session_id, platform, token, endpoint)"
        " select %s, repeat(%s, 250) || d, 'fcm', 't' || d,"
        " 'arn:aws:sns:us-east-1:1:endpoint/GCM/app/' || d from generate_series(1, 3000) d",
        (user, "\N{GRINNING FACE}"),
    )
    one = body("of.push", payload={}, recipients=[{"user_id": user}])
    with run_functions(
        environment(
            database_url, provider.url, push_kind(tmp_path), INLINE_ROUTES="0", PUSH_TOPIC_ARN=""
        )
    ) as wired:
        answer = wired.post(text(one))
        assert answer.status == 202
        assert "routes" not in answer.body
        batch = wired.post_batch([one, {**one, "idempotency_key": "other"}])
    assert ["routes" in r["notification"] for r in batch.body["results"]] == [False, False]
    assert routes(connection) == 6000


def test_a_replay_is_answered_when_its_users_have_too_many_devices_by_then(
    database_url: str, provider: Running, tmp_path: Path, connection: Connection
) -> None:
    one = body("of.push", payload={}, recipients=[{"user_id": "u", "data": {"z": "z" * 900}}])
    with run_functions(
        environment(
            database_url, provider.url, push_kind(tmp_path), INLINE_ROUTES="0", PUSH_TOPIC_ARN=""
        )
    ) as wired:
        first = wired.post(text(one))
        connection.execute(
            "insert into dovecote.push_devices (user_id, device_session_id, platform, token,"
            " endpoint) select 'u', d::text, 'fcm', 't' || d,"
            " 'arn:aws:sns:us-east-1:1:endpoint/GCM/app/' || d from generate_series(1, 10001) d"
        )
        again = wired.post(text(one))
        other = wired.post(text({**one, "idempotency_key": "other"}))
    assert (first.status, again.status, other.status) == (202, 202, 413)
    assert again.body["notification_id"] == first.body["notification_id"]
