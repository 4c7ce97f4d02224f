"""The work that a notification causes is bounded, and does not hurt those that come with it."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dovecote.core.errors import StoreUnavailable
from dovecote.store.database import Database
from dovecote.submit import build_notification, submission, work_limit
from local.provider import Running
from tests.canary import CANARY
from tests.catalogs import write_catalog
from tests.functions import Answer, Functions, environment, run_functions

Connection = psycopg.Connection[Any]
KIB = 1024
ZEROS = {"x": [0] * 31_000}
ITEMS = {"properties": {"x": {"type": "array", "items": {"type": "integer"}}}}
KINDS: dict[str, dict[str, Any]] = {
    "of.members": {**ITEMS, "required": ["x"], "maxProperties": 5},
    "of.all": {"allOf": [ITEMS]},
    "of.none": {"additionalProperties": False, "properties": {"a": {}}},
    "of.text": {},
}
LOOP = "{% for n in x %}{{ n }}{% endfor %}"
MIB_OF_CHECKS = work_limit.MOST_BYTES // KIB**2


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    return write_catalog(tmp_path, KINDS)


@pytest.fixture
def submitting(database_url: str, provider: Running, catalog: Path) -> Iterator[Functions]:
    values = environment(database_url, provider.url, catalog, INLINE_ROUTES="0")
    with run_functions(values) as wired:
        yield wired


def body(kind: str, key: str = "key", **members: Any) -> dict[str, Any]:
    everybody = [{"email": f"{CANARY}{n}@example.com", "data": {"a": n}} for n in range(1000)]
    return {
        "kind": kind,
        "idempotency_key": key,
        "payload": ZEROS,
        "recipients": everybody,
    } | members


def light(key: str) -> dict[str, Any]:
    return body("of.text", key, payload={}, recipients=[{"email": f"{CANARY}@example.com"}])


def text(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def timed(call: Callable[[], Answer]) -> tuple[float, Answer]:
    """Return how many seconds a call took, and its answer."""
    began = time.monotonic()
    answer = call()
    return time.monotonic() - began, answer


def routes(connection: Connection) -> int:
    row = connection.execute("select count(*) from dovecote.notification_routes").fetchone()
    assert row is not None
    return int(row[0])


def test_a_large_payload_that_data_does_not_change_is_checked_once(
    submitting: Functions, connection: Connection
) -> None:
    seconds, answer = timed(lambda: submitting.post(text(body("of.members"))))
    assert answer.status == 202, answer.body
    assert routes(connection) == 1000
    assert seconds < 4  # once for each of them it was 8 s, in the same place


def test_a_large_payload_that_must_be_checked_for_each_is_too_large(
    submitting: Functions, connection: Connection
) -> None:
    seconds, answer = timed(lambda: submitting.post(text(body("of.all"))))
    assert answer.status == 413
    assert f"more than {MIB_OF_CHECKS} MiB" in answer.body["detail"]
    assert "fewer recipients" in answer.body["detail"]
    assert seconds < 4
    assert routes(connection) == 0
    most = work_limit.MOST_BYTES // (2 * 31_000 + KIB)
    fewer = body("of.all")["recipients"][:most]
    assert submitting.post(text(body("of.all", recipients=fewer))).status == 202


@pytest.mark.parametrize(
    "recipient",
    [{"data": {"a": 1}}, {"locale": "de"}, {"data": {"x": 1}}, {"data": {"b": [1]}}],
    ids=str,
)
def test_a_fault_of_the_shared_payload_is_told_once(
    submitting: Functions, recipient: dict[str, Any]
) -> None:
    everybody = [{"email": f"{CANARY}{n}@example.com", **recipient} for n in range(1000)]
    seconds, answer = timed(lambda: submitting.post(text(body("of.none", recipients=everybody))))
    assert answer.status in (413, 422)
    assert len(answer.body.get("errors", ())) <= 100
    assert seconds < 4


def test_no_more_than_100_faults_are_looked_for(submitting: Functions) -> None:
    wrong = [{"email": f"{CANARY}{n}@example.com", "data": {"x": str(n)}} for n in range(1000)]
    one = body("of.members", payload={"y": "z" * 60_000}, recipients=wrong)
    seconds, answer = timed(lambda: submitting.post(text(one)))
    assert (answer.status, seconds < 4) == (422, True)
    assert 0 < len(answer.body["errors"]) <= 100


def test_many_locales_of_one_text_are_checked_once(
    submitting: Functions, connection: Connection
) -> None:
    many = [{"email": f"{CANARY}{n}@example.com", "locale": f"de-{n:04}"} for n in range(1000)]
    seconds, answer = timed(lambda: submitting.post(text(body("of.all", recipients=many))))
    assert (answer.status, seconds < 4) == (202, True)
    assert routes(connection) == 1000


def test_a_template_that_reads_a_large_payload_for_each_is_too_large(
    database_url: str, provider: Running, tmp_path: Path, connection: Connection
) -> None:
    kinds = {"of.loop": {"required": ["x", "a"]}}
    catalog = write_catalog(tmp_path, kinds, body_html=LOOP + "{{ a }}")
    with run_functions(
        environment(database_url, provider.url, catalog, INLINE_ROUTES="0")
    ) as wired:
        seconds, answer = timed(lambda: wired.post(text(body("of.loop"))))
        assert (answer.status, seconds < 4) == (413, True)
        small = {"x": [0] * 200}
        assert wired.post(text(body("of.loop", payload=small))).status == 202
    assert routes(connection) == 1000


def test_a_slow_schema_ends_in_time(
    submitting: Functions, monkeypatch: pytest.MonkeyPatch, connection: Connection
) -> None:
    monkeypatch.setattr(work_limit, "MOST_SECONDS", 0.0)
    answer = submitting.post(text(body("of.all")))
    assert answer.status == 413
    assert "0 seconds of work" in answer.body["detail"]
    assert routes(connection) == 0


def test_one_heavy_notification_of_a_batch_does_not_hurt_the_others(
    submitting: Functions, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its checks take longer than a batch has: it is the last that is begun."""
    monkeypatch.setattr("dovecote.submit.batch.STORING_SECONDS", 1.0)
    monkeypatch.setattr(work_limit, "MOST_BYTES", 1024 * KIB**2)
    monkeypatch.setattr(work_limit, "MOST_SECONDS", 1.5)
    batch = [light("a"), body("of.all", "heavy"), *(light(key) for key in "bcdefg")]
    answer = submitting.post_batch(batch)
    statuses = [result["status"] for result in answer.body["results"]]
    assert statuses == [202, 413, *[202] * 6]
    assert routes(connection) == 7


def test_one_heavy_message_does_not_bring_the_others_back(
    submitting: Functions, connection: Connection
) -> None:
    refused = body("of.none", "refused")
    bodies = [light("a"), refused, *(light(key) for key in "bcdefghi")]
    answer = submitting.submit_messages(*(text(one).decode() for one in bodies))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    assert routes(connection) == 9


def test_ten_of_the_heaviest_messages_are_stored_together(
    submitting: Functions, connection: Connection
) -> None:
    most = work_limit.MOST_BYTES // (2 * 31_000 + KIB)
    fewer = body("of.all")["recipients"][:most]
    bodies = [body("of.all", str(n), recipients=fewer) for n in range(10)]
    answer = submitting.submit_messages(*(text(one).decode() for one in bodies))
    assert answer == {"batchItemFailures": []}
    assert routes(connection) == 10 * most


def test_the_same_key_keeps_its_order_however_heavy_it_is(
    submitting: Functions, connection: Connection
) -> None:
    heavy = body("of.members", "same", recipients=body("of.members")["recipients"][:10])
    other = {**light("same"), "kind": "of.members", "payload": ZEROS}
    answer = submitting.post_batch([heavy, light("x"), other])
    statuses = [result["status"] for result in answer.body["results"]]
    assert statuses == [202, 202, 422]
    assert routes(connection) == 11


# What our own work takes is not the database's fault.


def test_time_in_our_own_work_is_not_taken_for_a_database_out_of_reach(
    submitting: Functions, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = build_notification.BuildNotification.__call__

    def slow(self: build_notification.BuildNotification, *given: Any, **more: Any) -> Any:
        time.sleep(1.0)
        return real(self, *given, **more)

    monkeypatch.setattr("dovecote.submit.submit.ANSWER_SECONDS", 0.9)
    monkeypatch.setattr(build_notification.BuildNotification, "__call__", slow)
    assert submitting.post(light("slow")).status == 202
    answer = submitting.post_batch([light("a"), light("b")])
    assert [result["status"] for result in answer.body["results"]] == [202, 202]


def test_a_statement_that_takes_too_long_does_not_hurt_the_others(
    submitting: Functions, connection: Connection
) -> None:
    connection.execute(
        "create function dovecote.stall() returns trigger language plpgsql as $$ begin"
        " if new.idempotency_key = 'slow' then perform pg_sleep(30); end if; return new; end $$"
    )
    connection.execute(
        "create trigger stall before insert on dovecote.notifications"
        " for each row execute function dovecote.stall()"
    )
    answer = submitting.post_batch([light("a"), light("slow"), light("b")])
    assert [result["status"] for result in answer.body["results"]] == [202, 503, 202]


# The largest requests that are within the limits.


def test_the_largest_requests_are_stored(submitting: Functions, connection: Connection) -> None:
    room = 64 * KIB - len('{"x":[],"y":""}') - 2 * 31_000 + 1
    largest = {"x": [0] * 31_000, "y": "y" * room}
    assert len(text(largest)) == 64 * KIB
    everybody = [{"email": f"{CANARY}{n}@example.com"} for n in range(1000)]
    own = [{**one, "data": {"x": [1]}} for one in everybody]
    for key, recipients in {"shared": everybody, "own": own}.items():
        one = body("of.members", key, payload=largest, recipients=recipients)
        answer = submitting.post(text(one))
        assert (answer.status, len(answer.body["routes"])) == (202, 1000)
        (failed,) = (
            submitting.submit_messages(text({**one, "idempotency_key": f"{key}-sqs"}).decode()),
        )
        assert failed == {"batchItemFailures": []}
    assert routes(connection) == 4000


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
        environment(database_url, provider.url, catalog, INLINE_ROUTES="0")
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
    with run_functions(environment(database_url, provider.url, push_kind(tmp_path))) as wired:
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
        environment(database_url, provider.url, push_kind(tmp_path), INLINE_ROUTES="0")
    ) as wired:
        answer = wired.post(text(one))
        assert answer.status == 202
        assert "routes" not in answer.body
        batch = wired.post_batch([one, {**one, "idempotency_key": "other"}])
    assert ["routes" in r["notification"] for r in batch.body["results"]] == [False, False]
    assert routes(connection) == 6000


def test_many_languages_of_a_large_payload_without_data_are_taken(
    database_url: str, provider: Running, tmp_path: Path, connection: Connection
) -> None:
    catalog = write_catalog(tmp_path, {"of.all": KINDS["of.all"]})
    folder = catalog / "templates" / "of-all"
    languages = [f"{first}{second}" for first in "abcdefg" for second in "abcdefgh"]
    for language in languages:
        shutil.copytree(folder, tmp_path / language)
    for language in languages:
        (tmp_path / language).rename(folder / language)
    many = [{"email": f"{CANARY}{n}@example.com", "locale": n} for n in languages]
    with run_functions(
        environment(database_url, provider.url, catalog, INLINE_ROUTES="0")
    ) as wired:
        seconds, answer = timed(lambda: wired.post(text(body("of.all", recipients=many))))
    assert (answer.status, seconds < 4) == (202, True)
    assert routes(connection) == len(languages)


def test_a_replay_is_answered_when_its_users_have_too_many_devices_by_then(
    database_url: str, provider: Running, tmp_path: Path, connection: Connection
) -> None:
    one = body("of.push", payload={}, recipients=[{"user_id": "u", "data": {"z": "z" * 900}}])
    with run_functions(
        environment(database_url, provider.url, push_kind(tmp_path), INLINE_ROUTES="0")
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


def test_only_time_in_the_database_counts_towards_its_bound(database: Database) -> None:
    def sleep(seconds: float) -> None:
        database.ask(lambda connection: connection.execute("select pg_sleep(%s)", (seconds,)))

    with database.spending(0.8):
        for _ in range(2):
            sleep(0.3)
            time.sleep(0.3)  # our own work
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            sleep(5)
        assert time.monotonic() - began < 1
    sleep(0.3)


@pytest.mark.parametrize("error", [RecursionError(CANARY), OverflowError(CANARY), MemoryError()])
def test_what_cannot_be_read_for_any_reason_is_its_own_problem(
    submitting: Functions,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    real = submission.fingerprint

    def raising(raw: Any, deliver_at: Any) -> str:
        if raw["idempotency_key"] == "bad":
            raise error
        return real(raw, deliver_at)

    monkeypatch.setattr(submission, "fingerprint", raising)
    batch = [light("a"), light("bad"), light("b")]
    answer = submitting.post_batch(batch)
    assert [result["status"] for result in answer.body["results"]] == [202, 500, 202]
    answered = submitting.submit_messages(*(text(one).decode() for one in batch))
    assert answered == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    assert routes(connection) == 2
