"""What the composition root makes of an environment."""

import ssl
import time
from pathlib import Path
from typing import Any

import pytest

from dovecote import wiring
from dovecote.catalog import BadCatalog
from dovecote.settings import BadSettings
from local.provider import Fault, Order, Running
from tests.functions import environment, functions
from tests.integration.test_http import a_body


def test_an_iam_connection_is_encrypted_verified_and_carries_a_fresh_token(
    catalog_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    values = environment("", "", catalog_folder) | {
        "DB_HOST": "db.example.com",
        "DB_NAME": "app",
        "DB_USER": "dovecote_submit",
    }
    with functions(values):
        monkeypatch.setattr(
            wiring.Connection, "connect", lambda **parameters: asked.append(parameters)
        )
        wiring._connect()
    (parameters,) = asked
    assert parameters["host"] == "db.example.com"
    assert parameters["port"] == 5432
    assert parameters["user"] == "dovecote_submit"
    assert parameters["password"].startswith("db.example.com:5432/?Action=connect")
    assert parameters["sslmode"] == "verify-full"
    assert parameters["sslrootcert"] == str(wiring.CA_FILE)
    assert parameters["prepare_threshold"] is None


def test_the_certificate_authorities_of_rds_and_rds_proxy_are_there_and_valid_for_years() -> None:
    context = ssl.create_default_context(cafile=wiring.CA_FILE)
    authorities = context.get_ca_certs()
    names = str(authorities)
    assert len(authorities) == 86
    assert "Amazon RDS us-east-1 Root CA RSA2048 G1" in names
    assert "Amazon Root CA 1" in names
    horizon = time.time() + 2 * 365 * 86400
    assert all(ssl.cert_time_to_seconds(a["notAfter"]) > horizon for a in authorities)  # type: ignore[arg-type]


def test_a_failed_send_is_one_post(
    database_url: str, provider: Running, catalog_folder: Path
) -> None:
    """The SDK would send a stalled, closed or 5xx SendEmail three times."""
    provider.provider.give(Order(do=Fault.ERROR, status=503, times=1))
    with functions(environment(database_url, provider.url, catalog_folder)) as house:
        house.post(
            a_body(
                recipients=[
                    {"email": "success@simulator.amazonses.com", "data": {"first_name": "Ann"}}
                ]
            )
        )
    assert len(provider.provider.ledger.attempts) == 1


def test_bad_settings_stop_a_function_with_the_variables_name(
    database_url: str, catalog_folder: Path
) -> None:
    values = environment(database_url, "", catalog_folder, LEASE_SECONDS="5")
    with functions(values) as house, pytest.raises(BadSettings, match="LEASE_SECONDS: "):
        house.dispatch()


def test_a_wrong_catalog_stops_a_function_naming_the_place(
    database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "kinds.yaml").write_text("kinds: {a.b: {channels: [fax], schema: {type: object}}}")
    with (
        functions(environment(database_url, "", tmp_path)) as house,
        pytest.raises(BadCatalog, match=r"kinds.yaml: a.b: channels"),
    ):
        house.post(a_body())
