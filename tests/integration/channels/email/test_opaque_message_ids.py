"""Events of SES with the longest message ids settle their routes."""

import json
from typing import Any

import psycopg

from tests.functions import Functions
from tests.integration.opaque import opaque
from tests.sending import channel_body

Connection = psycopg.Connection[Any]


def test_an_event_of_eventbridge_with_a_message_id_of_4096_bytes_settles_its_route(
    functions: Functions, connection: Connection
) -> None:
    (route,) = functions.post(channel_body("email")).body["routes"]
    event = {
        "source": "aws.ses",
        "detail": {
            "eventType": "Reject",
            "mail": {
                "messageId": opaque(4096),
                "tags": {"route_id": [route["route_id"]], "claim": ["1"]},
            },
            "reject": {"reason": "Bad content"},
        },
    }
    assert functions.feedback(json.dumps(event)) == {"batchItemFailures": []}
    found = connection.execute("select message_id from dovecote.email_rejections").fetchall()
    assert found == [(opaque(4096),)]
