"""One fingerprint for both ways to submit: Python and SQL write down the same."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dovecote.core.parsing import strict_json
from dovecote.core.problems import Malformed
from dovecote.submit import submission

Connection = psycopg.Connection[Any]

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "fingerprints.json").read_text())
WITHOUT_ADDRESS = [vector for vector in VECTORS if '"email"' not in vector["recipients"]]
each_vector = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
on_one_database = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def in_python(kind: str, payload: str, recipients: str, deliver_at: str | None) -> str:
    body = (
        f'{{"kind": {json.dumps(kind)}, "idempotency_key": "k", "payload": {payload},'
        f' "recipients": {recipients}, "deliver_at": {json.dumps(deliver_at)}}}'
    )
    return submission.parse(body.encode(), key=None, traceparent=None).fingerprint


def in_sql(
    connection: Connection, kind: str, payload: str, recipients: str, deliver_at: str | None
) -> str:
    found = connection.execute(
        "select dovecote.fingerprint(%s, %s, %s, %s)", (kind, payload, recipients, deliver_at)
    ).fetchone()
    assert found is not None
    return str(found[0])


def parts(vector: dict[str, Any]) -> tuple[str, str, str, str | None]:
    return vector["kind"], vector["payload"], vector["recipients"], vector["deliver_at"]


@each_vector
def test_a_fingerprint_is_the_digest_of_the_canonical_form(vector: dict[str, Any]) -> None:
    assert hashlib.sha256(vector["canonical"].encode()).hexdigest() == vector["fingerprint"]


@pytest.mark.parametrize("vector", WITHOUT_ADDRESS, ids=lambda vector: vector["name"])
def test_python_gives_the_vector(vector: dict[str, Any]) -> None:
    assert in_python(*parts(vector)) == vector["fingerprint"]


@each_vector
def test_sql_gives_the_vector(connection: Connection, vector: dict[str, Any]) -> None:
    assert in_sql(connection, *parts(vector)) == vector["fingerprint"]


def test_what_is_the_same_has_one_fingerprint_and_what_is_not_has_another() -> None:
    found = {vector["name"]: vector["fingerprint"] for vector in VECTORS}
    assert found["an order"] == found["members in another order, spaces, escapes that need not be"]
    assert found["a time, in UTC and to the microsecond"] == found["the same time in another zone"]
    assert found["an integer"] != found["as many digits as were sent"]
    assert len(set(found.values())) == len(found) - 2


# Whatever is sent.

numbers = st.from_regex(
    r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,24})?([eE][+-]?[0-9]{1,3})?", fullmatch=True
)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9)
strings = texts.map(json.dumps) | texts.map(lambda text: json.dumps(text, ensure_ascii=False))
blanks = st.sampled_from(["", "", " ", "\n\t", "\r "])


def an_array(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda values, blank: f"[{blank}{f',{blank}'.join(values)}{blank}]",
        st.lists(inner, max_size=4),
        blanks,
    )


def an_object(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def written(members: list[tuple[str, str]], blank: str) -> str:
        return "{" + ",".join(f"{blank}{name}{blank}:{blank}{one}" for name, one in members) + "}"

    names = st.lists(
        st.tuples(strings, inner), max_size=4, unique_by=lambda member: json.loads(member[0])
    )
    return st.builds(written, names, blanks)


leaves = numbers | strings | st.sampled_from(["true", "false", "null"])
values = st.recursive(leaves, lambda inner: an_array(inner) | an_object(inner), max_leaves=12)
payloads = an_object(values)


@on_one_database
@given(payload=payloads)
def test_sql_writes_whatever_is_sent_as_python_does(connection: Connection, payload: str) -> None:
    try:
        read = strict_json.read(payload.encode())
    except Malformed:
        with pytest.raises(psycopg.Error, match="out of every range"):
            connection.execute("select dovecote.json_text(%s, true, 2)", (payload,))
        return
    found = connection.execute(
        "select dovecote.json_text(%(it)s, false, 2), dovecote.json_text(%(it)s, true, 2)",
        {"it": payload},
    ).fetchone()
    assert found == (strict_json.text(read), strict_json.canonical(read).decode())


@on_one_database
@given(
    at=st.datetimes(datetime(1971, 1, 2), datetime(8999, 12, 30)),  # noqa: DTZ001
    offset=st.integers(-14 * 60, 14 * 60),
)
def test_a_time_is_the_same_in_every_zone(
    connection: Connection, at: datetime, offset: int
) -> None:
    sign, minutes = "-" if offset < 0 else "+", abs(offset)
    sent = f"{at.isoformat()}{sign}{minutes // 60:02}:{minutes % 60:02}"
    utc = datetime.fromisoformat(sent).astimezone(UTC).isoformat()
    told = [in_python("k", "{}", '[{"user_id": "u-1"}]', one) for one in (sent, utc)]
    assert {*told, in_sql(connection, "k", "{}", '[{"user_id": "u-1"}]', sent)} == {told[0]}
