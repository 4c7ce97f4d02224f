"""Files that Apple and Google gave: read, judged, and never repeated."""

import json
from pathlib import Path
from typing import Any

import pytest

from operate.channels.push import credentials as push_credentials
from operate.channels.push.credentials import BadCredentials, Given
from tests.unit.channels.push.keys import (
    CERTIFICATE,
    PRIVATE_KEY,
    SECRETS,
    SIGNING_KEY,
    exported,
    p8,
    pem,
    service_account,
)

IDS: dict[str, Any] = {
    "key_id": "ABCDE12345",
    "team_id": "TEAM123456",
    "bundle_id": "org.example.shop-app",
}


def test_nothing_given_is_none() -> None:
    assert push_credentials.read("apns", Given()) is None


@pytest.mark.parametrize("platform", ["apns", "apns_sandbox"])
def test_a_signing_key_goes_with_its_three_ids(tmp_path: Path, platform: str) -> None:
    read = push_credentials.read(platform, Given(key=p8(tmp_path), **IDS))
    assert read is not None
    assert read.attributes == {
        "PlatformPrincipal": "ABCDE12345",
        "PlatformCredential": pem("PRIVATE KEY", SIGNING_KEY),
        "ApplePlatformTeamID": "TEAM123456",
        "ApplePlatformBundleID": "org.example.shop-app",
    }


@pytest.mark.parametrize("label", ["RSA PRIVATE KEY", "PRIVATE KEY"])
def test_a_certificate_goes_with_its_key_and_nothing_that_stands_round_them(
    tmp_path: Path, label: str
) -> None:
    certificate, key = exported(tmp_path, label)
    read = push_credentials.read("apns", Given(cert=certificate, key=key))
    assert read is not None
    assert read.attributes == {
        "PlatformPrincipal": pem("CERTIFICATE", CERTIFICATE),
        "PlatformCredential": pem(label, PRIVATE_KEY),
    }


def test_a_service_account_is_the_text_of_its_file(tmp_path: Path) -> None:
    path = service_account(tmp_path)
    read = push_credentials.read("fcm", Given(service_account=path))
    assert read is not None
    assert read.attributes == {"PlatformCredential": Path(path).read_text().strip()}


def test_what_was_read_shows_no_secret(tmp_path: Path) -> None:
    read = push_credentials.read("apns", Given(key=p8(tmp_path), **IDS))
    assert not [secret for secret in SECRETS if secret in repr(read)]


def test_what_aws_repeats_of_a_secret_is_hidden(tmp_path: Path) -> None:
    read = push_credentials.read("fcm", Given(service_account=service_account(tmp_path)))
    assert read is not None
    answers = (Path(tmp_path, "service-account.json").read_text(), PRIVATE_KEY, SECRETS[5])
    hidden = [read.hidden(f"Invalid: {answer}") for answer in answers]
    assert not [secret for secret in SECRETS for text in hidden if secret in text]
    assert all(text.startswith("Invalid: ") for text in hidden)


def refused(platform: str, **given: Any) -> str:
    with pytest.raises(BadCredentials) as caught:
        push_credentials.read(platform, Given(**given))
    said = str(caught.value)
    assert not [secret for secret in SECRETS if secret in said]
    return said


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"key_id": None}, "--key-id is missing: 10 capitals and digits"),
        ({"key_id": "ABCDE1234"}, "--key-id is wrong: 10 capitals and digits"),
        ({"key_id": "abcde12345"}, "--key-id is wrong"),
        ({"key_id": "ABCDE123456"}, "--key-id is wrong"),
        ({"team_id": None}, "--team-id is missing"),
        ({"team_id": "TEAM"}, "--team-id is wrong"),
        ({"bundle_id": None}, "--bundle-id is missing: like org.example.app"),
        ({"bundle_id": "shop"}, "--bundle-id is wrong"),
        ({"bundle_id": "org.example.app\n"}, "--bundle-id is wrong"),
        ({"key": None}, "--key is missing: give the path of a file"),
        ({"service_account": "x"}, "--service-account has no meaning for apns"),
    ],
)
def test_ids_of_another_shape_are_refused(
    tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    assert refused("apns", **{"key": p8(tmp_path), **IDS, **changed}).startswith(said)


@pytest.mark.parametrize(
    "text",
    [
        "",
        SIGNING_KEY,  # without its first and last line
        pem("CERTIFICATE", CERTIFICATE),
        pem("ENCRYPTED PRIVATE KEY", PRIVATE_KEY),
        pem("RSA PRIVATE KEY", PRIVATE_KEY),  # of a certificate
        pem("PRIVATE KEY", "not base64"),
        pem("PRIVATE KEY", SIGNING_KEY).replace("END", "BEGIN"),
    ],
)
def test_what_is_no_p8_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    said = refused("apns", key=str(path), **IDS)
    assert said == (
        "--key is not a .p8 signing key of Apple's: there is no -----BEGIN PRIVATE KEY-----"
    )


def test_a_p12_is_told_how_to_become_text(tmp_path: Path) -> None:
    path = tmp_path / "cert.p12"
    path.write_bytes(b"\x30\x82\xff\xfe")
    said = refused("apns", cert=str(path), key=p8(tmp_path))
    assert said == "--cert is not text; a .p12 becomes one by openssl pkcs12 -nodes"


def test_a_key_with_a_passphrase_is_refused(tmp_path: Path) -> None:
    certificate, key = exported(tmp_path, "ENCRYPTED PRIVATE KEY")
    said = refused("apns", cert=certificate, key=key)
    assert said.startswith("--key is not a private key in PEM, without a passphrase")


def test_a_certificate_takes_no_ids(tmp_path: Path) -> None:
    certificate, key = exported(tmp_path)
    said = refused("apns", cert=certificate, key=key, key_id="ABCDE12345")
    assert said == "--key-id has no meaning for a certificate"


@pytest.mark.parametrize("value", ["none.p8", SECRETS[0], f"/{'x' * 300}", "\0", "~nobody-here/x"])
def test_a_file_that_is_not_there_is_not_repeated_since_it_may_be_the_key(
    tmp_path: Path, value: str
) -> None:
    said = refused("apns", key=value, **IDS)
    assert said.startswith("--key names no file that can be read")
    assert value not in said


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"type": "authorized_user"}, "--service-account is not a service account's"),
        ({"project_id": ""}, "--service-account has no project_id"),
        ({"project_id": 7}, "--service-account has no project_id"),
        ({"private_key": None}, "--service-account has no private_key"),
    ],
)
def test_what_is_no_service_account_is_refused(
    tmp_path: Path, members: dict[str, Any], said: str
) -> None:
    path = service_account(tmp_path, **members)
    assert refused("fcm", service_account=path).startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'{{"private_key": "{SECRETS[0]}', "--service-account is not JSON"),
        (json.dumps([SECRETS[0]]), "--service-account is not a service account's"),
        # what FCM had before: an app's configuration, which is no credential
        (json.dumps({"project_info": {}}), "--service-account is not a service account's"),
    ],
)
def test_another_json_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "account.json"
    path.write_text(text)
    assert refused("fcm", service_account=str(path)).startswith(said)


def test_fcm_takes_nothing_of_apples(tmp_path: Path) -> None:
    said = refused("fcm", key=p8(tmp_path), service_account=service_account(tmp_path))
    assert said == "--key has no meaning for fcm"
