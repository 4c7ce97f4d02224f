"""Credentials of nobody, in the forms that Apple and Google give them."""

import base64
import json
import textwrap
from pathlib import Path


def wrapped(text: bytes) -> str:
    """Return Base64 in lines of 64, as PEM has it."""
    return "\n".join(textwrap.wrap(base64.b64encode(text).decode(), 64))


SIGNING_KEY = wrapped(b"a signing key of nobody " * 6)
PRIVATE_KEY = wrapped(b"a private key of nobody " * 9)
CERTIFICATE = wrapped(b"a certificate of nobody " * 9)
# What may never be printed.
SECRETS = (*SIGNING_KEY.split(), *PRIVATE_KEY.split(), *CERTIFICATE.split())


def pem(label: str, body: str) -> str:
    return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"


def p8(folder: Path) -> str:
    path = folder / "AuthKey_ABCDE12345.p8"
    path.write_text(pem("PRIVATE KEY", SIGNING_KEY).rstrip())  # as Apple gives it
    return str(path)


def exported(folder: Path, label: str = "RSA PRIVATE KEY") -> tuple[str, str]:
    """Return the paths of a certificate and its key, as openssl pkcs12 -nodes writes them."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    bag = "Bag Attributes\n    friendlyName: Apple Push Services\nsubject=/UID=org.example\n"
    certificate.write_text(bag + pem("CERTIFICATE", CERTIFICATE))
    key.write_text(bag + "Key Attributes: <No Attributes>\n" + pem(label, PRIVATE_KEY))
    return str(certificate), str(key)


def service_account(folder: Path, **members: object) -> str:
    path = folder / "service-account.json"
    account = {
        "type": "service_account",
        "project_id": "shop",
        "private_key": pem("PRIVATE KEY", PRIVATE_KEY),
        "client_email": "push@shop.example",
        **members,
    }
    path.write_text(json.dumps(account, indent=2))
    return str(path)
