"""What a platform lets SNS push by: files that Apple or Google gave, read and never repeated.

A value is not repeated either where no such file is found: it may be the key itself.
"""

import binascii
import json
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from operate import OperatorError

_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----\s+([A-Za-z0-9+/=\s]+?)\s+-----END \1-----")
# Parts of a secret that are long enough to be one, and to be looked for in what is printed.
_PIECE = re.compile(r"[A-Za-z0-9+/=_-]{16,}")
_APPLE_ID = re.compile(r"[A-Z0-9]{10}")
_BUNDLE_ID = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
KEYS = {"PRIVATE KEY", "RSA PRIVATE KEY"}
USAGE = (
    "apns needs --key --key-id --team-id --bundle-id, or --cert --key; fcm needs --service-account"
)


class BadCredentials(OperatorError):
    """They cannot be these; the message says which, and what they should be."""

    def __init__(self, message: str) -> None:
        super().__init__(message, USAGE)


@dataclass(frozen=True, kw_only=True)
class Given:
    """What the command was given: paths of files, and ids that are nobody's secret."""

    key: str | None = None
    key_id: str | None = None
    team_id: str | None = None
    bundle_id: str | None = None
    cert: str | None = None
    service_account: str | None = None


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """The attributes of a platform application that let it push."""

    attributes: Mapping[str, str] = field(repr=False)
    kind: str
    secrets: tuple[str, ...] = field(repr=False)

    def hidden(self, text: str) -> str:
        """Return a text without any part of the secrets."""
        for secret in self.secrets:
            for piece in _PIECE.findall(secret):
                text = text.replace(piece, "…")
        return text


def read(platform: str, given: Given) -> Credentials | None:
    """Return the credentials of a platform, None where none are given; raise BadCredentials."""
    if given == Given():
        return None
    if platform == "fcm":
        _refuse(given, platform, ("key", "key_id", "team_id", "bundle_id", "cert"))
        return _service_account(given)
    _refuse(given, platform, ("service_account",))
    return _certificate(given) if given.cert else _token(given)


def _token(given: Given) -> Credentials:
    """Read Apple's signing key, which does not expire and is good for all apps of a team."""
    key = _pem(given.key, "--key", {"PRIVATE KEY"}, "a .p8 signing key of Apple's")
    ten = "10 capitals and digits"
    app = "like org.example.app"
    ids = {
        "PlatformPrincipal": _id(given.key_id, "--key-id", _APPLE_ID, ten),
        "ApplePlatformTeamID": _id(given.team_id, "--team-id", _APPLE_ID, ten),
        "ApplePlatformBundleID": _id(given.bundle_id, "--bundle-id", _BUNDLE_ID, app),
    }
    return Credentials(
        attributes={"PlatformCredential": key, **ids}, kind="signing key", secrets=(key,)
    )


def _certificate(given: Given) -> Credentials:
    """Read a certificate, of a year, and its key."""
    _refuse(given, "a certificate", ("key_id", "team_id", "bundle_id"))
    certificate = _pem(given.cert, "--cert", {"CERTIFICATE"}, "a certificate in PEM")
    key = _pem(given.key, "--key", KEYS, "a private key in PEM, without a passphrase")
    return Credentials(
        attributes={"PlatformPrincipal": certificate, "PlatformCredential": key},
        kind="certificate",
        secrets=(certificate, key),
    )


def _service_account(given: Given) -> Credentials:
    text = _text(given.service_account, "--service-account")
    try:
        account = json.loads(text)
    except ValueError:
        raise BadCredentials("--service-account is not JSON") from None
    if not isinstance(account, dict) or account.get("type") != "service_account":
        raise BadCredentials(
            '--service-account is not a service account\'s ("type": "service_account"): Firebase'
            " console, Project settings, Service accounts, Generate new private key"
        )
    for name in ("project_id", "private_key"):
        if not isinstance(account.get(name), str) or not account[name]:
            raise BadCredentials(f"--service-account has no {name}")
    return Credentials(
        attributes={"PlatformCredential": text},
        kind="service account",
        secrets=(text, account["private_key"]),
    )


def _pem(path: str | None, option: str, labels: set[str], what: str) -> str:
    """Return the one block of a PEM file that is looked for, without what stands round it.

    A file made by `openssl pkcs12` has attributes before its blocks, which SNS refuses.
    """
    for label, body in _PEM.findall(_text(path, option)):
        if label in labels and _is_base64(body):
            return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"
    begin = " or ".join(f"-----BEGIN {label}-----" for label in sorted(labels))
    raise BadCredentials(f"{option} is not {what}: there is no {begin}")


def _is_base64(body: str) -> bool:
    try:
        return bool(b64decode("".join(body.split()), validate=True))
    except binascii.Error:
        return False


def _text(path: str | None, option: str) -> str:
    if not path:
        raise BadCredentials(f"{option} is missing: give the path of a file")
    try:
        return Path(path).expanduser().read_text("utf-8").strip()
    except UnicodeDecodeError:
        raise BadCredentials(
            f"{option} is not text; a .p12 becomes one by openssl pkcs12 -nodes"
        ) from None
    except (OSError, ValueError, RuntimeError) as error:
        raise BadCredentials(
            f"{option} names no file that can be read ({type(error).__name__})"
        ) from None


def _id(value: str | None, option: str, shape: re.Pattern[str], words: str) -> str:
    if value is None or not shape.fullmatch(value):
        raise BadCredentials(f"{option} is {'wrong' if value else 'missing'}: {words}")
    return value


def _refuse(given: Given, what: str, names: tuple[str, ...]) -> None:
    if unused := [name.replace("_", "-") for name in names if getattr(given, name)]:
        raise BadCredentials(f"--{unused[0]} has no meaning for {what}")
