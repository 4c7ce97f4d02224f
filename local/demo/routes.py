"""What the demo's routes came to: read from the database, and held against ledger and design."""

import asyncio
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from dovecote import channels
from local.demo.case import Case, Sent
from local.page.agreement import LIVE, agreement
from local.provider import Ledger

ROUTES = """
select route.route_id::text, route.notification_id::text, notification.kind, route.channel,
       route.target, route.user_id, route.device_session_id, route.address, route.status,
       route.attempts, route.provider_message_id, route.last_error, letter.reason
from dovecote.notification_routes as route
join dovecote.notifications as notification using (notification_id)
left join dovecote.notification_dead_letters as letter
  on letter.route_id = route.route_id and letter.closed_at is null
order by notification.created_at, route.position
"""
Route = Mapping[str, Any]
"""One row of notification_routes, with what its notification and its dead letter say."""


def destination(route: Route) -> str:
    """Return where a route goes, in words."""
    if route["address"] is not None:
        return str(route["address"])
    device = route["device_session_id"] or "no device"
    return f"{route['user_id']}, {'topic' if route['target'] == 'topic' else device}"


async def ended_routes(url: str, *, within: float) -> Sequence[Route]:
    """Return all routes as soon as none is live, or as they stand when the time is up."""
    deadline = time.monotonic() + within
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        cursor = connection.cursor(row_factory=dict_row)
        while True:
            routes = await (await cursor.execute(ROUTES)).fetchall()
            ended = not any(route["status"] in LIVE for route in routes)
            if ended or time.monotonic() > deadline:
                return routes
            await asyncio.sleep(0.2)


@contextmanager
def database_of_its_own(url: str) -> Iterator[str]:
    """Create a database next to that of a URL, and drop it afterwards."""
    name = f"dovecote_demo_{uuid.uuid4().hex[:8]}"
    create = sql.SQL("create database {}").format(sql.Identifier(name))
    drop = sql.SQL("drop database {} with (force)").format(sql.Identifier(name))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(create)
    try:
        yield urlsplit(url)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(drop)


def disagreements(routes: Sequence[Route], ledger: Ledger) -> Iterator[str]:
    """Say each way in which the ledger and the routes do not agree to the row."""
    agreed = agreement(routes, ledger.accepted, ledger.accepted)
    yield from agreed["wrong"]
    if agreed["sent_twice"]:
        yield f"{agreed['sent_twice']} messages were accepted for routes that had one"
    targets = {row.message_id: row.target for row in ledger.accepted}
    for route in routes:
        where = f"route {route['route_id']} to {destination(route)}"
        if route["status"] in LIVE:
            yield f"{where} has not ended: {route['status']}, {route['last_error'] or 'no error'}"
        accepted_for = targets.get(route["provider_message_id"])
        if accepted_for is not None and route["address"] not in (None, accepted_for):
            yield f"{where} was accepted for {accepted_for}"


def missing(sent: Sequence[tuple[Case, Sent]], routes: Sequence[Route]) -> Iterator[str]:
    """Say what of the expected answers and ends did not come."""
    for case, answer in sent:
        if answer.status != case.expect:
            yield f"{case.name} was answered {answer.status}, not {case.expect}"
        if case.replayed and not answer.replayed:
            yield f"{case.name} was not answered as a replay"
    published = [route for route in routes if route["status"] == "published"]
    there = {
        **{
            f"a published {channel}": any(route["channel"] == channel for route in published)
            for channel in channels.NAMES
        },
        "a route published on its third attempt": any(one["attempts"] == 3 for one in published),
        "a dead letter with its reason": any(
            route["status"] == "dead_lettered" and route["reason"] for route in routes
        ),
        "a replay": any(answer.replayed for _, answer in sent),
        "a 422": any(answer.status == 422 for _, answer in sent),
    }
    yield from (f"{what} is missing" for what, is_there in there.items() if not is_there)
