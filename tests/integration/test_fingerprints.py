"""One digest, and one fingerprint, for both ways to submit: Python computes them for both."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dovecote.channels import NAMES
from dovecote.submit import submission
from tests.catalogs import write_catalog
from tests.functions import Functions
from tests.integration.test_submit_in_sql import CALL, ran

Connection = psycopg.Connection[Any]

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "fingerprints.json").read_text())
WITHOUT_ADDRESS = [
    vector
    for vector in VECTORS
    if not any(recipient.get("email") for recipient in json.loads(vector["recipients"]))
]
each_vector = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])


def in_python(kind: str, payload: str, recipients: str, deliver_at: str | None) -> str:
    body = (
        f'{{"kind": {json.dumps(kind)}, "idempotency_key": "k", "payload": {payload},'
        f' "recipients": {recipients}, "deliver_at": {json.dumps(deliver_at)}}}'
    )
    return submission.parse(body.encode(), key=None, traceparent=None).digest


def in_sql(functions: Functions, connection: Connection, vector: dict[str, Any]) -> bytes:
    """Return the fingerprint of what a submit in SQL with these texts stores."""
    names = ("kind", "payload", "recipients", "deliver_at")
    values = {name: vector[name] for name in names}
    connection.execute(CALL, {**values, "idempotency_key": "k", "traceparent": None})
    functions.expand()
    found = connection.execute("select fingerprint from dovecote.notifications").fetchone()
    assert found is not None
    return bytes(found[0])


def parts(vector: dict[str, Any]) -> tuple[str, str, str, str | None]:
    return vector["kind"], vector["payload"], vector["recipients"], vector["deliver_at"]


@each_vector
def test_a_digest_is_the_sha256_of_the_canonical_form(vector: dict[str, Any]) -> None:
    assert hashlib.sha256(vector["canonical"].encode()).hexdigest() == vector["digest"]


@pytest.mark.parametrize("vector", WITHOUT_ADDRESS, ids=lambda vector: vector["name"])
def test_python_gives_the_vector(vector: dict[str, Any]) -> None:
    assert in_python(*parts(vector)) == vector["digest"]


@pytest.fixture
def wired(database_url: str, tmp_path: Path) -> Iterator[Functions]:
    catalog = write_catalog(
        tmp_path, {vector["kind"]: {"channels": list(NAMES)} for vector in VECTORS}
    )
    with ran(database_url, catalog) as functions:
        yield functions


def test_what_is_the_same_has_one_digest_and_what_is_not_has_another() -> None:
    found = {vector["name"]: vector["digest"] for vector in VECTORS}
    assert found["an order"] == found["members in another order, spaces, escapes that need not be"]
    assert found["a time, in UTC and to the microsecond"] == found["the same time in another zone"]
    assert found["an integer"] != found["as many digits as were sent"]
    assert len(set(found.values())) == len(found) - 2
