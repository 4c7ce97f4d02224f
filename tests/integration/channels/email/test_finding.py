"""Notifications are found by an address, and a lost reply by its event."""

import json
from urllib.parse import urlencode

from local.provider import Fault, Running
from tests.builders import (
    ADDRESS,
)
from tests.functions import Functions
from tests.integration.test_finding import a_recipient, find, history, ids, post, told
from tests.sending import channel_body, order


def test_an_address_is_found_however_it_is_spelt(functions: Functions) -> None:
    posted = post(functions, 1)
    for spelt in (ADDRESS, ADDRESS.replace("amazonses", "AmazonSES"), ADDRESS.upper()):
        assert ids(find(functions, email=spelt)) == [posted]


def test_what_the_provider_told_of_a_lost_reply_is_told_once(
    functions: Functions, provider: Running
) -> None:
    order(provider, Fault.CLOSE_AFTER_ACCEPTING, times=1)
    posted = functions.post(channel_body()).body
    (accepted,) = provider.provider.ledger.accepted
    mail = {
        "messageId": accepted.message_id,
        "tags": {"route_id": [posted["routes"][0]["route_id"]], "claim": ["1"]},
    }
    detail = {"eventType": "Send", "mail": mail}
    functions.feedback(json.dumps({"source": "aws.ses", "detail": detail}))
    found = history(functions, posted["notification_id"])
    assert told(found, "message_id")[0] == ("submitted", None)
    assert told(found, "message_id")[-1] == ("settled", accepted.message_id)
    assert "published" not in {event["event"] for event in found}


def test_an_address_finds_its_own_route_alone(functions: Functions) -> None:
    recipients = [a_recipient(number) for number in (1, 2, 3)]
    posted = post(functions, 1, recipients=recipients)
    address = recipients[2]["email"]
    (found,) = find(functions, email=address).body["notifications"]
    assert found["notification_id"] == posted
    assert [route["address"] for route in found["routes"]] == [address]


def test_of_a_notification_to_many_the_story_of_one_address_can_be_read(
    functions: Functions,
) -> None:
    recipients = [a_recipient(1), a_recipient(2)]
    posted = post(functions, 1, recipients=recipients)
    everybody = functions.call("GET", f"/notifications/{posted}").body["routes"]
    query = urlencode({"email": recipients[1]["email"].capitalize()})
    found = functions.call("GET", f"/notifications/{posted}?{query}").body["routes"]
    assert found == [route for route in everybody if route["address"] == recipients[1]["email"]]
    assert found[0]["history"][0]["event"] == "submitted"
