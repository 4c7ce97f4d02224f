"""What SNS is given, and that too much of it is found before anything is stored."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovecote.channels.push.message import (
    MAX_TTL,
    PLATFORMS,
    ClientEvent,
    Expiry,
    attributes,
    envelope,
    platform_of,
)
from dovecote.core.parsing import strict_json
from local.provider import fcm
from tests.unit.channels.push.examples import ALERT, SENT_AT, an_event
from tests.unit.examples import ROUTE_ID

APPLE = ["APNS", "APNS_SANDBOX"]
IN_A_MINUTE = Expiry.of(60.9, SENT_AT)


def test_the_client_event_has_exactly_these_members() -> None:
    assert an_event().document() == {
        "event_id": str(ROUTE_ID),
        "request_id": "greeting-1",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "kind": "greeting.sent",
        "user_id": "u-1",
        "device_session_id": "d-1",
        "payload": {"name": "Ann", "price": Decimal("1.50")},
    }


def test_a_bare_event_keeps_the_digits_and_says_null_for_no_device() -> None:
    text = strict_json.text(an_event(device_session_id=None).document())
    assert '"price":1.50' in text
    assert json.loads(text)["device_session_id"] is None


@pytest.mark.parametrize("platform", APPLE)
def test_apple_is_given_an_alert_beside_the_event(platform: str) -> None:
    message = json.loads(envelope(platform, ALERT, an_event(), IN_A_MINUTE))
    assert message.pop("aps") == {
        "alert": {"title": "Hello", "body": "It is Ann"},
        "sound": "default",
    }
    assert message == json.loads(strict_json.text(an_event().document()))


def test_fcm_is_given_a_notification_and_the_event_as_strings() -> None:
    message = fcm_message(IN_A_MINUTE)
    assert message["notification"] == {"title": "Hello", "body": "It is Ann"}
    assert message["data"] == {
        "event_id": str(ROUTE_ID),
        "request_id": "greeting-1",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "kind": "greeting.sent",
        "user_id": "u-1",
        "device_session_id": "d-1",
        "payload": '{"name":"Ann","price":1.50}',
    }


def fcm_message(expiry: Expiry, event: ClientEvent | None = None) -> dict[str, Any]:
    document = json.loads(envelope("GCM", ALERT, event or an_event(), expiry))
    return dict(document["fcmV1Message"]["message"])


def test_fcm_keeps_all_pushes_of_a_phone_that_is_offline_and_android_replaces_by_tag() -> None:
    assert "collapse" not in envelope("GCM", ALERT, an_event(), IN_A_MINUTE)
    assert fcm_message(IN_A_MINUTE)["android"] == {
        "ttl": "60s",
        "notification": {"tag": str(ROUTE_ID)},
    }


@pytest.mark.parametrize(
    ("expires_in", "ttl", "at"),
    [
        (60.9, "60", "1800000060"),
        (259_200, "259200", "1800259200"),
        # no longer than FCM and Web Push take
        (10 * MAX_TTL, str(MAX_TTL), str(1_800_000_000 + MAX_TTL)),
        # now or never: to APNs a time that has passed would be "never"
        (0.9, "0", "0"),
        (0, "0", "0"),
        (-5.0, "0", "0"),
    ],
)
def test_iphones_and_browsers_registered_with_fcm_get_a_time_to_live_and_a_sound(
    expires_in: float, ttl: str, at: str
) -> None:
    message = fcm_message(Expiry.of(expires_in, SENT_AT))
    assert message["apns"] == {
        "headers": {"apns-expiration": at, "apns-priority": "10", "apns-push-type": "alert"},
        "payload": {"aps": {"sound": "default"}},
    }
    assert message["webpush"] == {"headers": {"TTL": ttl}}
    assert message["android"]["ttl"] == f"{ttl}s"


@given(expires_in=st.floats(-1e9, 1e9), now=st.floats(1e9, 5e9))
def test_all_header_values_for_fcm_are_texts(expires_in: float, now: float) -> None:
    message = fcm_message(Expiry.of(expires_in, now))
    fcm.check({"message": message})
    headers = message["apns"]["headers"] | message["webpush"]["headers"]
    assert all(isinstance(value, str) for value in headers.values())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(
    payload=st.dictionaries(st.text(), json_values),
    device=st.none() | st.text(),
    trace_id=st.sampled_from(["", "0" * 32]),
)
def test_fcm_data_is_strings_alone_whatever_the_payload_holds(
    payload: dict[str, Any], device: str | None, trace_id: str
) -> None:
    event = an_event(payload=payload, device_session_id=device, trace_id=trace_id)
    data = fcm_message(IN_A_MINUTE, event)["data"]
    assert all(isinstance(value, str) for value in data.values())
    assert ("device_session_id" in data) == (device is not None)
    assert json.loads(data["payload"]) == payload


@pytest.mark.parametrize("platform", APPLE)
def test_apple_s_attributes_are_time_to_live_push_type_and_the_route_to_collapse_on(
    platform: str,
) -> None:
    assert attributes(platform, an_event(), ttl=60) == {
        f"AWS.SNS.MOBILE.{platform}.TTL": {"DataType": "String", "StringValue": "60"},
        "AWS.SNS.MOBILE.APNS.PUSH_TYPE": {"DataType": "String", "StringValue": "alert"},
        "AWS.SNS.MOBILE.APNS.COLLAPSE_ID": {"DataType": "String", "StringValue": str(ROUTE_ID)},
    }


def test_fcm_s_attribute_is_the_time_to_live() -> None:
    assert attributes("GCM", an_event(), ttl=0) == {
        "AWS.SNS.MOBILE.GCM.TTL": {"DataType": "String", "StringValue": "0"}
    }


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("resource", ["app/{}/shop", "endpoint/{}/shop/0192f6a0"])
def test_the_platform_is_read_from_an_arn(platform: str, resource: str) -> None:
    arn = f"arn:aws:sns:us-east-1:123456789012:{resource.format(platform)}"
    assert platform_of(arn) == platform
