"""What the account or a sender's identity may not do pauses it, by the codes of SES."""

from typing import Any

import psycopg
import pytest

from local.provider import Fault, Running
from tests.functions import Functions
from tests.sending import channel_body, order
from tests.store import Store

Connection = psycopg.Connection[Any]


@pytest.mark.parametrize(
    ("status", "code", "message", "resource"),
    [
        # the account
        (429, "TooManyRequestsException", "Daily message quota exceeded.", "email"),
        (400, "SendingPausedException", "paused", "email"),
        (403, "ExpiredTokenException", "expired", "email"),
        # the identity of the sender
        (403, "AccessDeniedException", "not authorized", "email/example.com"),
    ],
)
def test_what_the_account_or_the_identity_cannot_do_is_not_the_email_s_fault(
    functions: Functions,
    connection: Connection,
    store: Store,
    provider: Running,
    status: int,
    code: str,
    message: str,
    resource: str,
) -> None:
    order(provider, Fault.ERROR, status=status, code=code, message=message)
    assert functions.post(channel_body("email")).body["routes"][0]["status"] == "pending"
    found = connection.execute("select status, attempts from dovecote.notification_routes")
    assert found.fetchall() == [("pending", 0)]
    assert store.channel_state("email").paused == {resource}
