"""Whether the demo went as it should: ledger against database, and the mix that must be there."""

from collections import Counter
from collections.abc import Iterator, Sequence

from dovecote import channels
from local.demo.case import Case, Sent
from local.demo.database import LIVE, Route
from local.provider import Ledger


def disagreements(routes: Sequence[Route], ledger: Ledger) -> Iterator[str]:
    """Say each way in which the ledger and the routes do not agree to the row."""
    accepted = {row.message_id: row for row in ledger.accepted}
    named = Counter(route.provider_message_id for route in routes if route.provider_message_id)
    for message_id in accepted.keys() - named.keys():
        row = accepted[message_id]
        yield f"the provider accepted {message_id} for {row.target}, and no route names it"
    for message_id, count in named.items():
        if count > 1:
            yield f"{count} routes name the message {message_id}"
    for route in routes:
        yield from _of_route(route, ledger)


def _of_route(route: Route, ledger: Ledger) -> Iterator[str]:
    where = f"route {route.route_id} to {route.to}"
    if route.status in LIVE:
        yield f"{where} has not ended: {route.status}, {route.last_error or 'no error'}"
    if (route.status == "published") != (route.provider_message_id is not None):
        yield f"{where} is {route.status}, with the message {route.provider_message_id}"
    if route.provider_message_id is None:
        return
    rows = [row for row in ledger.accepted if row.message_id == route.provider_message_id]
    if [row.channel for row in rows] != [route.channel]:
        yield f"{where} is published as {route.provider_message_id}, accepted {len(rows)} times"
    elif route.resolved_email not in (None, rows[0].target):
        yield f"{where} was accepted for {rows[0].target}"


def missing(sent: Sequence[tuple[Case, Sent]], routes: Sequence[Route]) -> Iterator[str]:
    """Say what of the expected answers and ends did not come."""
    for case, answer in sent:
        if answer.status != case.expect:
            yield f"{case.name} was answered {answer.status}, not {case.expect}"
        if case.replayed and not answer.replayed:
            yield f"{case.name} was not answered as a replay"
    published = [route for route in routes if route.status == "published"]
    there = {
        **{
            f"a published {channel}": any(route.channel == channel for route in published)
            for channel in channels.NAMES
        },
        "a route published on its third attempt": any(route.attempts == 3 for route in published),
        "a dead letter with its reason": any(
            route.status == "dead_lettered" and route.reason for route in routes
        ),
        "a replay": any(answer.replayed for _, answer in sent),
        "a 422": any(answer.status == 422 for _, answer in sent),
    }
    yield from (f"{what} is missing" for what, is_there in there.items() if not is_there)
