"""What a first send submits: a file of events/, which may only write to SES's simulator."""

import json
import uuid
from pathlib import Path
from typing import Any

SIMULATOR = "simulator.amazonses.com"


class BadSample(Exception):
    """The file can't be sent; the message says why."""


def read(path: Path) -> dict[str, Any]:
    """Return the body of an event, or a bare body, with a key of its own; raise BadSample."""
    body = _body(_json(path.name, _text(path)), path)
    recipients = body.get("recipients")
    if not isinstance(recipients, list) or not all(isinstance(one, dict) for one in recipients):
        raise BadSample(f"{path.name} has no recipients")
    if strays := [place for place, one in enumerate(recipients) if not _simulated(one)]:
        raise BadSample(
            f"{path.name}: /recipients/{strays[0]} has no email address of {SIMULATOR}:"
            " a first send writes to nobody else"
        )
    return {**body, "idempotency_key": f"doctor-{uuid.uuid4()}"}


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadSample(f"{path} cannot be read: {type(error).__name__}") from None


def _json(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise BadSample(f"{name} is no JSON: {error}") from None


def _body(document: Any, path: Path) -> dict[str, Any]:
    if isinstance(document, dict) and "requestContext" in document:
        document = _json(f"the body of {path.name}", document.get("body") or "")
    if not isinstance(document, dict):
        raise BadSample(f"{path.name} holds no notification")
    return document


def _simulated(recipient: dict[str, Any]) -> bool:
    address = recipient.get("email")
    return isinstance(address, str) and address.lower().rpartition("@")[2] == SIMULATOR
