"""Over HTTP people are erased, and what is over is purged, by the functions as their users."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import psycopg

from dovecote.operations.purge import DELETED, RECORDS
from tests.builders import ADDRESS
from tests.sending import channel_body, recipient
from tests.stacks import a_stack

UNPURGED = dict.fromkeys((*DELETED, *RECORDS), 0)

LONG_AGO = """
with old as (
    insert into dovecote.notifications
        (notification_id, kind, idempotency_key, fingerprint)
    select '01900000-0000-7000-8000-000000000000', kind, 'old', fingerprint
    from dovecote.notifications limit 1
    returning notification_id
)
update dovecote.notification_routes
set notification_id = (select notification_id from old),
    created_at = '2024-07-01', last_attempt_at = '2024-07-01', published_at = '2024-07-01'
where status = 'published'
"""


def test_a_person_is_erased_over_http_and_what_is_over_is_purged(tmp_path: Path) -> None:
    async def erased(session: aiohttp.ClientSession, path: str) -> dict[str, Any]:
        async with session.delete(path) as answer:
            assert answer.status == 200
            document: dict[str, Any] = await answer.json()
            return document

    async def scenario() -> None:
        async with a_stack(tmp_path) as stack, aiohttp.ClientSession(stack.api_url) as session:
            body = channel_body(recipients=[recipient(user_id="Ann/1")])
            async with session.post("/notifications", json=body) as ok:
                assert ok.status == 202
                path = ok.headers["Location"]
            nothing = {"erased": 0, "in_flight": 0, "devices": 0, "remaining": False}
            assert await erased(session, "/users?user_id=Ann%2F1") == {**nothing, "erased": 1}
            address = quote(ADDRESS, safe="")
            assert await erased(session, f"/recipients?email={address}") == nothing
            async with session.get(path) as answer:
                (route,) = (await answer.json())["routes"]
                assert (route["user_id"], route["address"]) == (None, None)
            async with session.delete("/recipients?email=nobody") as answer:
                assert answer.status == 422
            with psycopg.connect(stack.database_url) as connection:
                connection.execute(LONG_AGO)
            purged = await stack.invoke("PurgeFunction", {"source": "schedule"})
            assert purged == {**UNPURGED, "notifications": 1, "routes": 1}

    asyncio.run(scenario())
