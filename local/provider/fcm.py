"""The messages that FCM's HTTP v1 API takes, as far as the provider judges them."""

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta

Duration = Annotated[str, Meta(pattern=r"^\d{1,12}(\.\d{1,9})?s\Z")]
Texts = dict[str, str]

MAX_WEB_PUSH_TTL = 4 * 7 * 86400
MAX_COLLAPSE_ID_BYTES = 64


class NotFcm(Exception):
    """FCM would refuse the message; the text names the member and repeats no value."""


class _Notification(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: str = ""
    body: str = ""
    image: str = ""


class _AndroidNotification(msgspec.Struct, frozen=True):
    title: str = ""
    body: str = ""
    tag: str = ""
    sound: str = ""
    channel_id: str = ""


class _Android(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    collapse_key: str = ""
    priority: Annotated[str, Meta(pattern=r"(?i)^(normal|high)\Z")] = "normal"
    ttl: Duration = "2419200s"
    restricted_package_name: str = ""
    data: Texts = {}
    notification: _AndroidNotification = _AndroidNotification()
    fcm_options: dict[str, Any] = {}
    direct_boot_ok: bool = False


class _Aps(msgspec.Struct, frozen=True):
    alert: str | dict[str, Any] = ""
    sound: str | dict[str, Any] = ""
    badge: int = 0


class _ApnsPayload(msgspec.Struct, frozen=True):
    aps: _Aps = _Aps()


class _Apns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    headers: Texts = {}
    payload: _ApnsPayload = _ApnsPayload()
    fcm_options: dict[str, Any] = {}


class _Webpush(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    headers: Texts = {}
    data: Texts = {}
    notification: dict[str, Any] = {}
    fcm_options: dict[str, Any] = {}


class _Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message without its target, which SNS adds."""

    data: Texts = {}
    notification: _Notification = _Notification()
    android: _Android = _Android()
    apns: _Apns = _Apns()
    webpush: _Webpush = _Webpush()
    fcm_options: dict[str, Any] = {}


class _V1(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    message: _Message = _Message()
    validate_only: bool = False


def check(v1_message: object) -> None:
    """Refuse what FCM would refuse of a `fcmV1Message`; raise NotFcm."""
    try:
        message = msgspec.convert(v1_message, _V1).message
    except msgspec.ValidationError as error:
        raise NotFcm(str(error)) from None
    headers = {name.lower(): value for name, value in message.apns.headers.items()}
    wrong = [
        *(f"apns.headers.{name}" for name in _wrong_apns_headers(headers)),
        *(f"webpush.headers.{name}" for name in _wrong_web_push_headers(message.webpush.headers)),
    ]
    if wrong:
        raise NotFcm(f"not a valid value: {', '.join(wrong)}")


def _wrong_apns_headers(headers: Texts) -> list[str]:
    """Return the names of the headers that APNs would refuse; names are in lower case."""
    takes = {
        "apns-expiration": r"\d{1,10}",
        "apns-priority": "1|5|10",
        "apns-push-type": "alert|background|location|voip|complication|fileprovider|mdm",
    }
    wrong = [
        name
        for name, pattern in takes.items()
        if name in headers and not re.fullmatch(pattern, headers[name], re.ASCII)
    ]
    too_long = len(headers.get("apns-collapse-id", "").encode()) > MAX_COLLAPSE_ID_BYTES
    return [*wrong, "apns-collapse-id"] if too_long else wrong


def _wrong_web_push_headers(headers: Texts) -> list[str]:
    """Return the names of the headers that a push service would refuse."""
    given = {name.lower(): value for name, value in headers.items()}
    ttl = given.get("ttl", "0")
    takes = ttl.isascii() and ttl.isdigit() and int(ttl) <= MAX_WEB_PUSH_TTL
    return [] if takes else ["TTL"]
