"""Read the routes and compare them with the provider's ledger.

Both agree where each published route names a message that the provider accepted for that route, and
each message that was accepted is of a route that is published, or live and so still to be. A route
whose message was accepted more than once was sent twice: the reply was lost, or the worker killed,
between the provider's acceptance and the commit. That is what "at least once" means.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg
from psycopg.rows import dict_row

from local.provider import Acceptance

LIVE = ("pending", "retrying")
MOST_NAMED = 20
NEWEST = 20
CONNECT_SECONDS = 2
ROUTES = """
select route_id::text, notification_id::text, status, provider_message_id, attempts, next_attempt_at
from dovecote.notification_routes
"""


async def read_routes(url: str) -> list[dict[str, Any]]:
    """Return all routes; raise psycopg.Error."""
    async with await psycopg.AsyncConnection.connect(
        url,
        connect_timeout=CONNECT_SECONDS,
        application_name="dovecote-page",
        row_factory=dict_row,
    ) as connection:
        return await (await connection.execute(ROUTES)).fetchall()


def newest(routes: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return the ids of the newest notifications, each with a version that its routes change."""
    found = defaultdict(set)
    for route in routes:
        state = route["route_id"], route["status"], route["attempts"], route["next_attempt_at"]
        found[route["notification_id"]].add(state)
    # Version 7 UUIDs are in the order of time.
    ids = sorted(found, reverse=True)[:NEWEST]
    return [(id_, str(hash(frozenset(found[id_])))) for id_ in ids]


def agreement(
    routes: Iterable[Mapping[str, Any]],
    accepted_before: Sequence[Acceptance],
    accepted_after: Sequence[Acceptance],
) -> dict[str, Any]:
    """Hold routes against what had been accepted before, and after, they were read.

    Between the two, sends go on: a route is there before its message is accepted, and its message
    is accepted before it is published.
    """
    known = {route["route_id"]: route for route in routes}
    of_route = {row.message_id: row.route_id for row in accepted_after}
    counts = Counter(row.route_id for row in accepted_before)
    statuses = Counter(route["status"] for route in known.values())
    wrong = [*_unaccepted(known.values(), of_route), *_unpublished(known, accepted_before)]
    live_accepted = sum(
        1 for id_ in counts if id_ is not None and known.get(id_, {}).get("status") in LIVE
    )
    return {
        "agree": not wrong,
        "wrong": wrong[:MOST_NAMED],
        "accepted": len(accepted_before),
        "accepted_routes": len(counts),
        "sent_twice": len(accepted_before) - len(counts),
        "routes": len(known),
        "published": statuses["published"],
        "in_doubt": live_accepted,
        "live": sum(statuses[status] for status in LIVE),
        "statuses": dict(statuses),
    }


def _unaccepted(
    routes: Iterable[Mapping[str, Any]], of_route: Mapping[str, str | None]
) -> Iterable[str]:
    for route in routes:
        if route["status"] != "published":
            continue
        if of_route.get(route["provider_message_id"]) != route["route_id"]:
            yield (
                f"route {route['route_id']} is published as {route['provider_message_id']}, "
                "which the provider did not accept for it"
            )


def _unpublished(
    known: Mapping[str, Mapping[str, Any]], accepted: Iterable[Acceptance]
) -> Iterable[str]:
    for row in accepted:
        route = known.get(row.route_id or "")
        if route is None:
            yield f"message {row.message_id} was accepted, and is of no route"
        elif route["status"] not in (*LIVE, "published"):
            yield (
                f"message {row.message_id} was accepted, and its route {row.route_id} "
                f"is {route['status']}"
            )
