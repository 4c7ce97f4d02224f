"""An email that is redriven has the tags of its next claim."""

import pytest

from local.provider import Fault, Running
from local.provider.ledger import Email
from tests.functions import Functions
from tests.sending import PERMANENT, channel_body, order


@pytest.mark.parametrize("body", [None, b"", b"{}", b'{"expires_at": null}'])
def test_a_redriven_email_has_the_tag_of_its_second_claim(
    functions: Functions, provider: Running, body: bytes | None
) -> None:
    order(provider, Fault.ERROR, times=1, **PERMANENT)
    (route,) = functions.post(channel_body("email")).body["routes"]
    path = f"/dead-letters/{route['route_id']}/redrive"
    assert functions.call("POST", path, body).status == 202
    assert functions.dispatch()["published"] == 1
    (accepted,) = provider.provider.ledger.accepted
    assert isinstance(accepted.content, Email)
    assert accepted.content.tags["claim"] == "2"
