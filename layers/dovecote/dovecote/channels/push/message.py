"""What SNS is given: the client event, and the envelopes of APNs and FCM around it. Pure."""

from collections.abc import Mapping
from typing import Any, Self

import msgspec

from dovecote.channels.push.kind import Alert
from dovecote.core.parsing import strict_json

MAX_BYTES = 4096
"""The largest notification that APNs and FCM take."""

MAX_TTL = 4 * 7 * 86400
"""The longest time to live that FCM and Web Push take, in seconds."""

PLATFORMS: Mapping[str, str] = {"APNS": "apns", "APNS_SANDBOX": "apns_sandbox", "GCM": "fcm"}
"""SNS's names of the platforms, and Dovecote's."""


class Expiry(msgspec.Struct, frozen=True, kw_only=True):
    """When the provider gives up on a push.

    `ttl` is in seconds from the send, `at` in seconds since 1970. A ttl of 0 means "deliver now or
    never". APNs spells that as an `at` of 0: with a time that has passed it may drop the push.
    """

    ttl: int
    at: int

    @classmethod
    def of(cls, expires_in: float, now: float) -> Self:
        """Return the expiry of a push that is sent at `now` and expires in so many seconds."""
        ttl = min(MAX_TTL, max(0, int(expires_in)))
        return cls(ttl=ttl, at=int(now) + ttl if ttl else 0)


LONGEST_EXPIRY = Expiry(ttl=MAX_TTL, at=9_999_999_999)
"""The expiry that takes the most bytes of a payload."""


class ClientEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What a client learns of a notification."""

    event_id: str
    request_id: str
    trace_id: str
    kind: str
    user_id: str
    device_session_id: str | None
    payload: Mapping[str, Any]

    def document(self) -> dict[str, Any]:
        """Return its members as JSON has them."""
        return {name: getattr(self, name) for name in self.__struct_fields__}


def platform_of(arn: str) -> str:
    """Return SNS's name of the platform that an application or endpoint ARN is of."""
    return arn.split(":")[5].split("/")[1]


def envelope(platform: str, alert: Alert, event: ClientEvent, expiry: Expiry) -> str:
    """Return the finished push payload of a platform, in SNS's name of it."""
    if platform == "GCM":
        return strict_json.text(_fcm(alert, event, expiry))
    return strict_json.text(_apns(alert, event))


def attributes(platform: str, event: ClientEvent, *, ttl: int) -> dict[str, Any]:
    """Return the message attributes of a publish to a device.

    The collapse id is the route's: a phone shows a notification that came twice once.
    """
    if platform == "GCM":
        return {"AWS.SNS.MOBILE.GCM.TTL": _string(str(ttl))}
    return {
        f"AWS.SNS.MOBILE.{platform}.TTL": _string(str(ttl)),
        "AWS.SNS.MOBILE.APNS.PUSH_TYPE": _string("alert"),
        "AWS.SNS.MOBILE.APNS.COLLAPSE_ID": _string(event.event_id),
    }


def _apns(alert: Alert, event: ClientEvent) -> dict[str, Any]:
    shown = {"title": alert.title, "body": alert.body}
    return {"aps": {"alert": shown, "sound": "default"}, **event.document()}


def _fcm(alert: Alert, event: ClientEvent, expiry: Expiry) -> dict[str, Any]:
    """Return a message of FCM's HTTP v1 API, with a section for each kind of device.

    No `collapse_key`: FCM stores four of them for a token at most, so that a phone that was offline
    would lose the other pushes. Android replaces a visible notification by its `tag`.
    """
    return {
        "fcmV1Message": {
            "message": {
                "notification": {"title": alert.title, "body": alert.body},
                "data": _as_strings(event),
                "android": {"ttl": f"{expiry.ttl}s", "notification": {"tag": event.event_id}},
                "apns": {
                    "headers": {
                        "apns-expiration": str(expiry.at),
                        "apns-priority": "10",
                        "apns-push-type": "alert",
                    },
                    "payload": {"aps": {"sound": "default"}},
                },
                "webpush": {"headers": {"TTL": str(expiry.ttl)}},
            }
        }
    }


def _as_strings(event: ClientEvent) -> dict[str, str]:
    """Return the event with string values alone, as FCM takes them: the payload as JSON."""
    members = event.document() | {"payload": strict_json.text(event.payload)}
    return {name: value for name, value in members.items() if value is not None}


def _string(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}
