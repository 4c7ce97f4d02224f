"""Submit wakes dispatch up for emails that the rate of SES leaves no room for."""

from typing import Any

import psycopg

from tests.integration.test_scale_out import Lambda
from tests.integration.test_wake_up import CALL, Wired, wired
from tests.sending import channel_body

Connection = psycopg.Connection[Any]
__all__ = ["wired"]


def test_dispatch_is_called_for_a_rate_without_room(wired: Wired, connection: Connection) -> None:
    aws = Lambda()
    connection.execute("update dovecote.channel_state set rate = 1 where resource = 'email'")
    with wired(aws, EMAIL_MAX_PER_SECOND="1") as functions:
        assert functions.post(channel_body("email", count=2)).status == 202
    assert aws.calls == [CALL]
