"""The responses of submit."""

import json

from dovecote.aws import responses
from dovecote.submit.submit import Receipt
from tests.unit.examples import NOON, NOTIFICATION_ID, ROUTE, ROUTE_ID


def receipt(*, replayed: bool) -> Receipt:
    return Receipt(
        notification_id=NOTIFICATION_ID,
        kind="order.shipped",
        created_at=NOON,
        routes=[ROUTE],
        replayed=replayed,
    )


def test_a_receipt_is_a_202_with_its_location_and_routes() -> None:
    response = responses.receipt_response(receipt(replayed=False))
    assert response["statusCode"] == 202
    assert response["headers"] == {
        "Content-Type": "application/json",
        "Location": f"/notifications/{NOTIFICATION_ID}",
    }
    body = json.loads(response["body"])
    assert set(body) == {"notification_id", "kind", "created_at", "routes"}
    assert body["notification_id"] == str(NOTIFICATION_ID)
    assert body["created_at"] == "2026-11-23T12:00:00Z"
    (route,) = body["routes"]
    assert route["route_id"] == str(ROUTE_ID)
    assert (route["channel"], route["status"], route["attempts"]) == ("email", "retrying", 1)
    assert route["next_attempt_at"] == "2026-11-23T12:00:00Z"


def test_a_replay_has_a_header() -> None:
    assert (
        responses.receipt_response(receipt(replayed=True))["headers"]["Idempotent-Replayed"]
        == "true"
    )
