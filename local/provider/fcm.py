"""The messages that FCM's HTTP v1 API takes, as far as the provider judges them: see fcm.json."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import fastjsonschema

MAX_WEB_PUSH_TTL = 4 * 7 * 86400
MAX_COLLAPSE_ID_BYTES = 64
SCHEMA = json.loads(Path(__file__).with_name("fcm.json").read_text())
_shaped = fastjsonschema.compile(SCHEMA)


class NotFcm(Exception):
    """FCM would refuse the message; the text names the member and repeats no value."""


def check(v1_message: Any) -> None:
    """Refuse what FCM would refuse of a `fcmV1Message`; raise NotFcm."""
    try:
        _shaped(v1_message)
    except fastjsonschema.JsonSchemaValueException as error:
        raise NotFcm(error.message.removeprefix("data.message.")) from None
    wrong = list(_out_of_bounds(v1_message.get("message", {})))
    if wrong:
        raise NotFcm(f"not a valid value: {', '.join(wrong)}")


def _out_of_bounds(message: Mapping[str, Any]) -> Iterator[str]:
    """Yield the headers whose bounds a schema cannot express: of bytes, and of a number's text."""
    collapse_id = _header(message.get("apns", {}), "apns-collapse-id")
    if len(collapse_id.encode()) > MAX_COLLAPSE_ID_BYTES:
        yield "apns.headers.apns-collapse-id"
    ttl = _header(message.get("webpush", {}), "ttl") or "0"
    if not (ttl.isascii() and ttl.isdigit() and int(ttl) <= MAX_WEB_PUSH_TTL):
        yield "webpush.headers.TTL"


def _header(part: Mapping[str, Any], wanted: str) -> str:
    headers: Mapping[str, str] = part.get("headers", {})
    return next((value for name, value in headers.items() if name.lower() == wanted), "")
