"""dovecote.submit() in the producer's own transaction stores what the HTTP call would store."""

import json
import re
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import errors, sql

from dovecote import channels
from dovecote.catalog.errors import BadCatalog
from dovecote.channels import NAMES
from dovecote.store.people.devices import PostgresDevices
from dovecote.store.schema.roles import PRODUCER, BadUsers, make_users
from dovecote.wiring import provision
from local.provider import Running
from tests.builders import misfiled
from tests.catalogs import write_catalog
from tests.functions import Functions, environment, run_functions
from tests.integration.test_roles import acting, as_user, names, users
from tests.integration.test_submit import a_device
from tests.sending import a_body, recipient

Connection = psycopg.Connection[Any]

__all__ = ["names", "users"]

CALL = """
select notification_id, created_at, replayed from dovecote.submit(
    %(kind)s, %(idempotency_key)s, %(payload)s, %(recipients)s, %(deliver_at)s, %(traceparent)s
)
"""
TOPIC = "arn:aws:sns:us-east-1:000000000000:news.fifo"
on_one_database = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def submit(connection: Connection, **changes: Any) -> Any:
    """Submit in SQL what a_body says; return notification_id, created_at, replayed."""
    told = {"deliver_at": None, "traceparent": None, **a_body(**changes)}
    for name in ("payload", "recipients"):
        if not isinstance(told[name], str | None):
            told[name] = json.dumps(told[name])
    return connection.execute(CALL, told).fetchone()


def count(connection: Connection, table: str = "notifications") -> int:
    query = sql.SQL("select count(*) from dovecote.{}").format(sql.Identifier(table))
    return int(connection.execute(query).fetchone()[0])  # type: ignore[index]


@contextmanager
def ran(url: str, catalog: Path, endpoint: str = "", **more: str) -> Iterator[Functions]:
    """The functions under some settings, of which submit sends nothing itself."""
    values = environment(url, endpoint, catalog, **{"INLINE_ROUTES": "0", **more})
    with run_functions(values) as wired:
        yield wired


@pytest.fixture
def wired(database_url: str, provider: Running, catalog_folder: Path) -> Iterator[Functions]:
    with ran(database_url, catalog_folder, provider.url, BACKOFF_BASE_SECONDS="0") as one:
        yield one


@pytest.fixture
def producer(
    connection: Connection, names: dict[str, str], database_url: str, wired: Functions
) -> Iterator[Connection]:
    """A producer's own connection: its user has the role, and tables of its own."""
    role, user = (f"{name}_{uuid.uuid4().hex[:8]}" for name in ("producer", "shop"))
    make_users(connection, {**names, PRODUCER: role})
    run = [sql.SQL(text).format(role=sql.Identifier(role), user=sql.Identifier(user)) for text in (
        "create role {user} login", "grant {role} to {user}",
        "create schema shop authorization {user}", "create table shop.orders (id text)",
        "alter table shop.orders owner to {user}",
    )]  # fmt: skip
    for statement in run:
        connection.execute(statement)
    with psycopg.connect(as_user(connection, database_url, user), autocommit=True) as own:
        yield own
    for name in (user, role):
        text = sql.SQL("drop owned by {0} cascade; drop role {0}").format(sql.Identifier(name))
        connection.execute(text)


# The same rows.

RULES: Mapping[str, dict[str, str]] = {
    "production": {},
    "with a topic": {"PUSH_TOPIC_ARN": TOPIC},
    "to some alone": {"EMAIL_ALLOW": "@Example.com, bob@example.org"},
    "redirected": {
        "EMAIL_ALLOW": "@example.com", "EMAIL_REDIRECT_TO": "Us <us@example.net>",
        "PUSH_TOPIC_ARN": TOPIC,
    },
    "all redirected": {"EMAIL_REDIRECT_TO": "us@example.net"},
}  # fmt: skip
KINDS = {
    "order.shipped": {"order_id": "1234", "carrier": "DHL", "first_name": "Ann"},
    "order.arriving": {"order_id": "1234", "carrier": "Ü\u2014\U0001f600", "minutes": 5},
    "account.password_reset": {
        "first_name": "Ann", "reset_url": "https://x.example/", "valid_minutes": 15,
    },
}  # fmt: skip
addresses = st.sampled_from(
    ["ann@example.com", "Ann.B+c@EXAMPLE.com", "bob@example.org", "Bob@example.org", "INFO@x.io"]
)
people = st.fixed_dictionaries(
    {},
    optional={
        **({"email": addresses | st.none()} if "email" in recipient() else {}),
        "user_id": st.sampled_from(["u-1", "u-2", "u-3", "ü 4"]) | st.none(),
        "device_session_id": st.sampled_from(["d-1", "d-2", "gone"]) | st.none(),
        "locale": st.sampled_from(["de", "de-AT", "en_US"]) | st.none(),
        "data": st.sampled_from([{}, {"first_name": "Bo\u0308"}]) | st.none(),
    },
)


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(list(KINDS)))
    body = {"kind": kind, "payload": KINDS[kind], "recipients": draw(st.lists(people, max_size=4))}
    if draw(st.booleans()):
        body["deliver_at"] = draw(st.sampled_from(["2027-01-01T09:00:00.5+05:30", "1999-12-31Z"]))
        body["deliver_at"] = body["deliver_at"].replace("31Z", "31T00:00:00Z")
    for person in body["recipients"]:
        if kind != "order.shipped":
            person.pop("data", None)
    return body


def rows(connection: Connection, key: str) -> tuple[Any, list[Any]]:
    """Return all that a notification stored, but ids; times as those since it was stored."""
    notification = connection.execute(
        "select to_jsonb(n) - '{notification_id,idempotency_key,created_at,traceparent}'"
        "  ::text[] from dovecote.notifications n where idempotency_key = %s",
        (key,),
    ).fetchone()
    routes = connection.execute(
        "select to_jsonb(r) - '{route_id,notification_id,created_at,next_attempt_at,expires_at}'"
        "  ::text[],"
        # A submission in SQL is due when it is expanded.
        " r.next_attempt_at - greatest(n.deliver_at, n.created_at) between '0' and '1 minute',"
        " r.expires_at - greatest(n.deliver_at, n.created_at), r.created_at = n.created_at"
        " from dovecote.notification_routes r join dovecote.notifications n using (notification_id)"
        " where idempotency_key = %s order by position",
        (key,),
    ).fetchall()
    return notification, routes


@pytest.mark.parametrize("rule", RULES)
def test_whatever_is_submitted_is_stored_as_by_http(
    rule: str,
    database_url: str,
    connection: Connection,
    devices: PostgresDevices,
    catalog_folder: Path,
) -> None:
    for user, session in (("u-1", "d-2"), ("u-1", "d-1"), ("u-2", "d-1"), ("u-3", "dead")):
        devices.put(a_device(user, session))
    connection.execute("update dovecote.push_devices set dead_at = now() where user_id = 'u-3'")
    with ran(database_url, catalog_folder, **RULES[rule]) as functions:

        @on_one_database
        @given(body=bodies())
        def both(body: dict[str, Any]) -> None:
            one, other = uuid.uuid4().hex, uuid.uuid4().hex
            answer = functions.post({**body, "idempotency_key": one})
            told = {"deliver_at": None, **body, "idempotency_key": other}
            if not body["recipients"]:
                assert answer.status == 422
                with pytest.raises(psycopg.Error) as refused:
                    submit(connection, **told)
                assert refused.value.sqlstate == "VC422"
                return
            notification_id, created_at, _ = submit(connection, **told)
            functions.expand()
            assert rows(connection, one) == rows(connection, other)
            if answer.status == 202:
                found = functions.call("GET", f"/notifications/{notification_id}").body
                assert datetime.fromisoformat(found["created_at"]) == created_at
            else:
                problem = functions.call("GET", "/refused?limit=1").body["refused"][0]["problem"]
                assert (problem["status"], problem["detail"]) == (
                    answer.status,
                    answer.body["detail"],
                )
                assert len(problem["errors"]) == len(answer.body["errors"])

        both()
    assert misfiled(connection) == []


def test_rows_that_are_alike_are_some(wired: Functions, connection: Connection) -> None:
    """Lest the comparison above compares nothing with nothing."""
    submit(connection, idempotency_key="k")
    wired.expand()
    notification, routes = rows(connection, "k")
    assert notification is not None
    assert [route["channel"] for route, *_ in routes] == list(NAMES)
    assert count(connection, "user_routes") == len(NAMES)
    fields = [channel.address_field for channel in channels.every().values()]
    assert count(connection, "address_routes") == sum(field != "user_id" for field in fields)


def test_ids_are_of_version_7_and_in_the_order_of_time(connection: Connection) -> None:
    made = [connection.execute("select dovecote.uuid7()").fetchone()[0]]  # type: ignore[index]
    for _ in range(50):
        time.sleep(0.001)
        made += connection.execute("select dovecote.uuid7()").fetchone() or ()
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert {(one.version, one.variant) for one in made} == {(7, uuid.RFC_4122)}
    assert abs((made[-1].int >> 80) / 1000 - time.time()) < 60


# The same idempotency.

OTHER = {"payload": {"order_id": "5678", "carrier": "DHL"}}
STAGES = ("pending", "expanded")
each_stage = pytest.mark.parametrize("stage", STAGES)


def reach(functions: Functions, stage: str) -> None:
    if stage == "expanded":
        assert functions.expand()["expanded"] == 1


def refused(functions: Functions) -> list[Any]:
    return list(functions.call("GET", "/refused").body["refused"])


@each_stage
def test_the_same_key_and_body_by_http_after_sql_is_a_replay(
    wired: Functions, connection: Connection, stage: str
) -> None:
    notification_id, created_at, replayed = submit(connection)
    assert not replayed
    reach(wired, stage)
    answer = wired.post(a_body())
    assert (answer.status, answer.headers["idempotent-replayed"]) == (202, "true")
    assert answer.body["notification_id"] == str(notification_id)
    assert datetime.fromisoformat(answer.body["created_at"]) == created_at
    assert len(answer.body["routes"]) == len(NAMES)
    assert (count(connection), count(connection, "inbox")) == (1, 0)


@each_stage
def test_the_same_key_and_body_in_sql_after_sql_is_a_replay(
    wired: Functions, connection: Connection, stage: str
) -> None:
    first = submit(connection)
    reach(wired, stage)
    assert submit(connection) == (*first[:2], True)
    assert submit(connection) == (*first[:2], True)
    wired.expand()
    assert (count(connection), count(connection, "inbox")) == (1, 0)


def test_the_same_key_and_body_in_sql_after_http_is_a_replay(
    wired: Functions, connection: Connection
) -> None:
    first = wired.post(a_body()).body
    notification_id, created_at, replayed = submit(connection)
    assert (str(notification_id), replayed) == (first["notification_id"], True)
    assert created_at == datetime.fromisoformat(first["created_at"])
    assert wired.expand()["refused"] == 0
    assert (count(connection), count(connection, "inbox")) == (1, 0)


@each_stage
def test_another_body_by_http_after_sql_is_a_mismatch(
    wired: Functions, connection: Connection, stage: str
) -> None:
    submit(connection)
    reach(wired, stage)
    assert wired.post(a_body(**OTHER)).status == 422
    assert wired.post(a_body()).status == 202
    assert refused(wired) == []


def test_another_body_in_sql_while_the_first_is_pending_is_an_error(
    wired: Functions, connection: Connection
) -> None:
    submit(connection)
    with pytest.raises(psycopg.Error, match="was used before") as error:
        submit(connection, **OTHER)
    assert error.value.sqlstate == "VC409"
    assert (count(connection), count(connection, "inbox")) == (1, 1)


@pytest.mark.parametrize("first", ["by SQL", "by HTTP"])
def test_another_body_in_sql_after_the_first_is_stored_is_refused_later(
    wired: Functions, connection: Connection, first: str
) -> None:
    if first == "by SQL":
        submit(connection)
        wired.expand()
    else:
        wired.post(a_body())
    (holder,) = connection.execute("select notification_id from dovecote.notifications")
    assert submit(connection, **OTHER)[::2] == (*holder, True)
    assert wired.expand()["refused"] == 1
    (one,) = refused(wired)
    assert one["notification_id"] != str(holder[0])
    assert one["idempotency_key"] == a_body()["idempotency_key"]
    assert one["problem"]["errors"] == [
        {"pointer": "/idempotency_key", "detail": "belongs to another notification of this kind"}
    ]
    assert count(connection) == 1


def test_the_same_content_in_another_spelling_is_a_replay_once_it_is_stored(
    wired: Functions, connection: Connection
) -> None:
    first = submit(connection, payload='{"order_id": "1234", "carrier": "DHL"}')
    wired.expand()
    again = submit(connection, payload='{"carrier":"DHL","order_id":"1234"}')
    assert again == (*first[:2], True)
    assert wired.expand()["expanded"] == 1
    assert refused(wired) == []


def test_a_replay_is_answered_whatever_the_catalog_says_by_now(
    wired: Functions, connection: Connection, database_url: str, tmp_path: Path
) -> None:
    first = submit(connection)
    wired.expand()
    with ran(database_url, write_catalog(tmp_path, {"another.kind": {}})) as functions:
        assert submit(connection) == (*first[:2], True)
        assert functions.expand()["expanded"] == 1
        submit(connection, idempotency_key="another")
        assert functions.expand()["refused"] == 1
        (one,) = refused(functions)
        assert one["problem"]["errors"] == [{"pointer": "/kind", "detail": "is not in the catalog"}]


def test_a_refused_key_can_be_used_again(wired: Functions, connection: Connection) -> None:
    for _ in range(2):
        assert submit(connection, payload={"carrier": "DHL"})[2] is False
        assert wired.expand()["refused"] == 1
    assert submit(connection)[2] is False
    assert wired.expand()["expanded"] == 1
    assert wired.post(a_body()).status == 202
    assert len(refused(wired)) == 2


# In the caller's transaction.


def test_it_is_there_with_the_producer_s_own_row_and_gone_with_it(
    wired: Functions, producer: Connection, connection: Connection
) -> None:
    with producer.transaction(force_rollback=True):
        producer.execute("insert into shop.orders values ('1234')")
        first = submit(producer)
        assert not first[2]
        assert submit(producer) == (*first[:2], True)
        assert count(connection) == 0
        assert wired.expand()["expanded"] == 0
    assert count(connection) == count(connection, "inbox") == 0
    assert wired.call("GET", f"/notifications/{first[0]}").status == 404
    with producer.transaction():
        producer.execute("insert into shop.orders values ('1234')")
        submit(producer)
    assert producer.execute("select count(*) from shop.orders").fetchone() == (1,)
    wired.expand()
    assert count(connection) == 1
    assert count(connection, "notification_routes") == len(NAMES)


def test_many_are_submitted_by_one_statement(
    wired: Functions, producer: Connection, connection: Connection
) -> None:
    producer.execute("insert into shop.orders select i::text from generate_series(1, 300) i")
    made = producer.execute(
        "select (dovecote.submit('order.shipped', id, json_build_object("
        "   'order_id', id, 'carrier', 'DHL', 'first_name', 'Ann'),"
        "  json_build_array(json_build_object('user_id', 'u-' || id, 'email', 'a@example.com'))"
        " )).notification_id from shop.orders"
    ).fetchall()
    assert len(set(made)) == count(connection) == count(connection, "inbox") == 300
    assert wired.expand()["expanded"] == 300
    assert count(connection, "notification_routes") == 300 * len(NAMES)
    assert set(made) == set(
        connection.execute("select distinct notification_id from dovecote.notification_routes")
    )


class Waiting(threading.Thread):
    """A submit on a connection of its own, and what came of it."""

    def __init__(self, url: str, *before: str) -> None:
        super().__init__()
        self._url, self._before = url, before
        self.came: Any = None

    def run(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as own:
            for text in self._before:
                own.execute(text.encode())
            try:
                self.came = submit(own)
            except psycopg.Error as error:
                self.came = error


def await_a_wait(url: str) -> None:
    """Wait until somebody waits for a lock; within a transaction nobody would be seen to begin."""
    with psycopg.connect(url, autocommit=True) as beside:
        for _ in range(500):
            waits = beside.execute(
                "select from pg_stat_activity where datname = current_database()"
                " and wait_event_type = 'Lock'"
            )
            if waits.rowcount:
                return
            time.sleep(0.01)
    raise AssertionError("nobody waits")


def test_a_duplicate_waits_for_the_first_and_is_its_replay(
    wired: Functions, connection: Connection, database_url: str
) -> None:
    with connection.transaction():
        first = submit(connection)
        waiting = Waiting(database_url)
        waiting.start()
        await_a_wait(database_url)
    waiting.join()
    assert waiting.came == (*first[:2], True)
    assert count(connection) == 1


def test_a_duplicate_is_the_first_where_the_first_is_undone(
    wired: Functions, connection: Connection, database_url: str
) -> None:
    with connection.transaction(force_rollback=True):
        submit(connection)
        waiting = Waiting(database_url)
        waiting.start()
        await_a_wait(database_url)
    waiting.join()
    assert waiting.came[2] is False
    assert count(connection) == 1


@pytest.mark.timed
@pytest.mark.parametrize(
    ("setting", "least", "most"),
    [("set lock_timeout = 0", 1.9, 4), ("set lock_timeout = '300ms'", 0.25, 1.5)],
)
def test_a_wait_ends_with_the_caller_s_lock_timeout_and_in_two_seconds_without_one(
    wired: Functions,
    connection: Connection,
    database_url: str,
    setting: str,
    least: float,
    most: float,
) -> None:
    with connection.transaction(force_rollback=True):
        submit(connection)
        waiting = Waiting(database_url, setting)
        began = time.monotonic()
        waiting.start()
        waiting.join()
        took = time.monotonic() - began
    assert isinstance(waiting.came, errors.LockNotAvailable)
    assert least < took < most


def test_a_table_that_is_locked_is_waited_for_no_longer_and_is_no_submit(
    wired: Functions, connection: Connection, database_url: str
) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("lock table dovecote.notifications")
        waiting = Waiting(database_url, "set lock_timeout = 0")
        waiting.start()
        waiting.join()
    assert isinstance(waiting.came, errors.LockNotAvailable)


@pytest.mark.parametrize("bound", ["0", "300ms", "5s"])
def test_the_caller_s_lock_timeout_is_left_as_it_is(
    wired: Functions, connection: Connection, bound: str
) -> None:
    connection.execute(f"set lock_timeout = '{bound}'".encode())
    with connection.transaction():
        submit(connection)
        assert connection.execute("show lock_timeout").fetchone() == (bound,)
    assert connection.execute("show lock_timeout").fetchone() == (bound,)


# What is refused.

CANARY = "hunter2-canary"
ANN = recipient(data={"first_name": CANARY})
DEEP = '{"a": ' * 63 + '"' + CANARY + '"' + "}" * 63
REFUSED: Mapping[str, tuple[dict[str, Any], str, str]] = {
    "no key": ({"idempotency_key": ""}, "VC400", "idempotency_key: is missing"),
    "no key at all": ({"idempotency_key": None}, "VC400", "idempotency_key: is missing"),
    "a long key": ({"idempotency_key": "k" * 256}, "VC422", "must have at most 255 characters"),
    "a key with a line break": ({"idempotency_key": "k\n"}, "VC422", "control characters"),
    "no kind": ({"kind": None}, "VC422", "kind: must have 1 to 128 characters"),
    "an empty kind": ({"kind": ""}, "VC422", "kind: must have 1 to 128 characters"),
    "a long kind": ({"kind": CANARY * 10}, "VC422", "kind: must have 1 to 128 characters"),
    "no payload": ({"payload": None}, "VC422", "payload: must be a JSON object"),
    "a payload that is a list": ({"payload": [CANARY]}, "VC422", "payload: must be a JSON object"),
    "a payload that is text": (
        {"payload": f'"{CANARY}"'}, "VC422", "payload: must be a JSON object",
    ),
    "no recipients at all": ({"recipients": None}, "VC422", "recipients: must be a JSON array"),
    "recipients that are none": (
        {"recipients": {"a": 1}}, "VC422", "recipients: must be a JSON array",
    ),
    "no recipients": ({"recipients": []}, "VC422", "recipients: must not be empty"),
    "too many recipients": ({"recipients": [ANN] * 1001}, "VC413", "at most 1000 entries"),
    "a large payload": ({"payload": {"a": CANARY * 80_000}}, "VC413", "at most 1 MiB"),
    "a time long ago": ({"deliver_at": "1900-01-01T00:00:00Z"}, "VC422", "out of range"),
    "never": ({"deliver_at": "infinity"}, "VC422", "out of range"),
}  # fmt: skip
"""Faults of the shape, which the statement refuses."""

UNFIT = "The notification cannot be taken."
INVALID = "The notification is invalid."
LATER: Mapping[str, tuple[dict[str, Any], int, str]] = {
    "an unknown kind": ({"kind": "no.such"}, 422, "/kind: is not in the catalog"),
    "a payload over its limit": ({"payload": {"a": CANARY * 5000}}, 422, "/payload: is larger"),
    "a deep payload": ({"payload": f'{{"a": {DEEP}}}'}, 400, "nested"),
    "deep data": ({"recipients": f'[{{"user_id": "u", "data": {DEEP}}}]'}, 400, "nested"),
    "a number out of range": ({"payload": '{"a": 1e401}'}, 400, "out of every range"),
    "one that no exponent reaches": (
        {"payload": '{"a": 1e-99999999999}'}, 400, "out of every range",
    ),
    "NUL": ({"payload": f'{{"a": "{CANARY}\\u0000"}}'}, 400, "NUL"),
    "half a pair": ({"payload": f'{{"{CANARY}\\ud800": 1}}'}, 400, "surrogate"),
    "a member twice": ({"payload": f'{{"{CANARY}": 1, "{CANARY}": 2}}'}, 400, "stands twice"),
    "the same with escapes": (
        {"recipients": '[{"user_id": "u", "\\u0075ser_id": "u"}]'}, 400, "stands twice",
    ),
    "missing members": (
        {"payload": {"carrier": CANARY}, "recipients": [{"user_id": "u"}]}, 422, "/payload",
    ),
    "one that a single recipient lacks": (
        {"recipients": [ANN, recipient()]}, 422, "/payload: required",
    ),
    "nobody to reach": (
        {"recipients": [ANN, {"locale": "de", "data": {"first_name": CANARY}}]},
        422, "/recipients/1: has no address for any channel of order.shipped",
    ),
    "a recipient that is none": ({"recipients": [CANARY]}, 422, "/recipients/0: is not an object"),
    "an unknown member": ({"recipients": [{CANARY: 1}]}, 422, "is not a known member"),
    "a bad id": ({"recipients": [{"user_id": f"{CANARY}\n"}]}, 422, "/recipients/0/user_id: "),
    "a blank id": ({"recipients": [{"device_session_id": " "}]}, 422, "/device_session_id: "),
    "an id that is a number": (
        {"recipients": [{"user_id": 5}]}, 422, "/recipients/0/user_id: expected `str",
    ),
    "data that is none": ({"recipients": [{"data": [CANARY]}]}, 422, "/recipients/0/data: "),
    "a bad locale": ({"recipients": [{"locale": CANARY + "!"}]}, 422, "/recipients/0/locale"),
}  # fmt: skip
"""Faults that functions/submit refuses when it expands the submission."""


@pytest.mark.parametrize("case", REFUSED)
def test_a_fault_of_the_shape_is_refused_at_once_and_its_words_repeat_nothing(
    wired: Functions, connection: Connection, case: str
) -> None:
    changes, sqlstate, words = REFUSED[case]
    with pytest.raises(psycopg.Error, match=re.escape(words)) as error:
        submit(connection, **changes)
    assert error.value.sqlstate == sqlstate
    told = error.value.diag
    for text in (told.message_primary, told.message_detail, told.message_hint, told.context):
        assert CANARY not in (text or "")
    assert count(connection) == count(connection, "inbox") == 0


@pytest.mark.parametrize("case", LATER)
def test_any_other_fault_is_refused_when_it_is_expanded_and_its_words_repeat_nothing(
    wired: Functions, connection: Connection, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    changes, status, words = LATER[case]
    notification_id, created_at, _ = submit(connection, **changes)
    assert wired.expand()["refused"] == 1
    (one,) = refused(wired)
    problem = one["problem"]
    assert (one["notification_id"], problem["status"]) == (str(notification_id), status)
    assert datetime.fromisoformat(one["created_at"]) == created_at
    said = [f"{fault['pointer']}: {fault['detail']}" for fault in problem.get("errors", ())]
    assert any(words in text for text in (problem["detail"], *said))
    (left,) = connection.execute("select inbox::text from dovecote.inbox")
    assert CANARY not in left[0] + capsys.readouterr().out
    assert count(connection) == count(connection, "notification_routes") == 0


@pytest.mark.parametrize("sent", ["not-a-traceparent", "00-" + "0" * 32 + "-" + "1" * 16 + "-01"])
def test_a_traceparent_that_is_none_is_left_out(
    wired: Functions, connection: Connection, sent: str
) -> None:
    good = f"00-{'a' * 32}-{'b' * 16}-01"
    for key, told in (("good", good), ("bad", sent)):
        submit(connection, idempotency_key=key, traceparent=told)
    wired.expand()
    stored = connection.execute("select idempotency_key, traceparent from dovecote.notifications")
    assert dict(stored.fetchall()) == {"good": good, "bad": None}


# Rights.


def test_a_producer_may_submit_and_nothing_else(
    producer: Connection, connection: Connection
) -> None:
    tables = connection.execute(
        "select format('select from dovecote.%I', relname) from pg_class"
        " where relnamespace = 'dovecote'::regnamespace and relkind in ('r', 'S', 'v')"
    ).fetchall()
    assert len(tables) > 10
    for (query,) in [*tables, ("create table dovecote.mine ()",)]:
        with pytest.raises(errors.InsufficientPrivilege):
            producer.execute(query.encode())
    callable_ = producer.execute(
        "select proname from pg_proc where pronamespace = 'dovecote'::regnamespace"
        " and has_function_privilege(oid, 'execute')"
    )
    assert callable_.fetchall() == [("submit",)]
    assert submit(producer)[2] is False


def test_nobody_else_may_submit(connection: Connection, users: dict[str, str]) -> None:
    for user in users.values():
        with pytest.raises(errors.InsufficientPrivilege), acting(connection, user):
            submit(connection)


def test_no_table_or_operator_of_the_producer_s_is_taken_for_another(
    producer: Connection, connection: Connection
) -> None:
    """Its search_path and its temporary tables are not looked at."""
    producer.execute("create temporary table inbox (kind text)")
    for name in ("lower(text)", "octet_length(text)"):
        producer.execute(
            f"create function shop.{name} returns text language sql"
            " as $$ select current_user::text || 1 / 0 $$".encode()
        )
    producer.execute("set search_path = pg_temp, shop, pg_catalog")
    submit(producer)
    assert count(connection) == 1
    found = connection.execute(
        "select prosecdef, proconfig[1] from pg_proc where proname = 'submit'"
        " and pronamespace = 'dovecote'::regnamespace"
    )
    assert found.fetchone() == (True, "search_path=pg_catalog, dovecote, pg_temp")


def test_a_role_of_producers_is_made_once_and_nobody_logs_in_as_it(
    connection: Connection, names: dict[str, str]
) -> None:
    role = names["Submit"]
    for _ in range(2):
        make_users(connection, {PRODUCER: role})
    login = connection.execute("select rolcanlogin from pg_roles where rolname = %s", (role,))
    assert login.fetchall() == [(False,)]


def test_the_role_of_producers_is_no_function_s_user(
    connection: Connection, names: dict[str, str]
) -> None:
    with pytest.raises(BadUsers, match=r"must not be .*, a function's user"):
        make_users(connection, {**names, PRODUCER: names["Api"]})


# The catalog.


def test_a_catalog_that_cannot_be_read_stops_a_provision(tmp_path: Path) -> None:
    values = environment("postgresql://nowhere", "", tmp_path)
    with run_functions(values), pytest.raises(BadCatalog):
        provision.provision()


# Delivered.


def test_what_is_expanded_is_delivered_by_dispatch(
    wired: Functions, connection: Connection, provider: Running
) -> None:
    submit(connection, recipients=[recipient(data={"first_name": "Ann"})])
    assert wired.dispatch()["claimed"] == 0
    wired.expand()
    assert not provider.provider.ledger.accepted  # submit sends nothing that it expands
    assert wired.dispatch()["published"] == 1
    assert len(provider.provider.ledger.accepted) == 1
    found = connection.execute(
        "select status from dovecote.notification_routes order by position"
    ).fetchall()
    assert [status for (status,) in found] == ["published", *["skipped"] * len(NAMES[1:])]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"first_name": ""}, "/recipients/0/data/first_name: minLength"),
        ({"first_name": 5}, "/recipients/0/data/first_name: type"),
        ({"first_name": "Ann", "extra": CANARY}, "additionalProperties"),
        ({"first_name": "Ann", CANARY: "extra"}, "additionalProperties"),
        ({"first_name": "Ann", "order_id": CANARY + "!"}, "/recipients/0/data/order_id: pattern"),
        ({"first_name": "x" * 40_000}, "/recipients/0/data/first_name: maxLength"),
    ],
)
def test_what_does_not_fit_its_schema_is_refused_and_not_sent(
    wired: Functions,
    connection: Connection,
    provider: Running,
    data: dict[str, Any],
    words: str,
) -> None:
    payload = {"order_id": "1234", "carrier": "DHL"}
    submit(connection, payload=payload, recipients=[recipient(data=data)])
    wired.expand()
    (one,) = refused(wired)
    (fault,) = one["problem"]["errors"]
    assert words in f"{fault['pointer']}: {fault['detail']}"
    assert CANARY not in str(one)
    assert wired.dispatch()["claimed"] == 0
    assert not provider.provider.ledger.accepted
