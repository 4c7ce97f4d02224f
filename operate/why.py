"""Tell why somebody got something or nothing: python -m operate.why --user u-1."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from dovecote import channels
from operate import ROOT, OperatorError, aws, story, trouble
from operate.api import Api, Document
from operate.site import Site
from operate.terminal import fail, say

LOCAL = "http://127.0.0.1:{port}"


def main(arguments: Sequence[str]) -> int:
    """Print the story of a person, a key or a notification; return 0 where there is one."""
    given = _given(arguments)
    try:
        for line in told(_api(given.env), given):
            say(line)
    except OperatorError as error:
        return fail("why", f"{error}: {error.remedy}")
    except trouble.ERRORS as error:
        what, remedy = trouble.in_words(error)
        return fail("why", f"{what}: {remedy if given.env else 'is make run running?'}")
    except KeyboardInterrupt:
        return 130
    return 0


def told(api: Api, given: argparse.Namespace) -> Iterator[str]:
    """Yield the lines: each notification, the newest first, then the addresses and users."""
    emails = dict.fromkeys([given.email] if given.email else [])
    users = dict.fromkeys([given.user] if given.user else [])
    count = 0
    for found in _notifications(api, given):
        count += 1
        yield from story.told(found, datetime.now(UTC), _pauses(api, found))
        emails |= dict.fromkeys(_emails(found["routes"]))
        users |= dict.fromkeys(one["user_id"] for one in found["routes"] if one["user_id"])
    for one in _refused(api, given):
        count += 1
        yield from story.refused(one)
    if not count:
        yield "No notification is known: none was submitted so, or it is no longer kept."
    for email in emails:
        yield _suppression(api, email)
    for user in users:
        yield _devices(api, user)


def _notifications(api: Api, given: argparse.Namespace) -> Iterator[Document]:
    """Yield notifications with their histories, each with the routes that are asked for."""
    person = _named(user_id=given.user, email=given.email)
    key = _named(kind=given.kind, idempotency_key=given.key)
    listed = api.pages("notifications", **person, **key) if person or key else ()
    for notification_id in [given.id] if given.id else (one["notification_id"] for one in listed):
        found = api.read("notifications", notification_id, **person)
        if found is not None:
            yield found


def _refused(api: Api, given: argparse.Namespace) -> Iterator[Document]:
    """Yield the refused submissions in SQL of a key or an id; they name no person."""
    for one in api.pages("refused") if given.id or given.key else ():
        if given.id == one["notification_id"] or (
            (given.kind, given.key) == (one["kind"], one["idempotency_key"])
        ):
            yield one


def _pauses(api: Api, notification: Document) -> dict[str, Document]:
    """Return the pauses by resource, where a route waits."""
    if not any(route.get("waiting_for") for route in notification["routes"]):
        return {}
    overview = api.read("overview") or {"paused": []}
    return {pause["resource"]: pause for pause in overview["paused"]}


def _emails(routes: Sequence[Document]) -> Iterator[str]:
    """Yield the email addresses of routes, which can be suppressed."""
    fields = {name: channel.address_field for name, channel in channels.every().items()}
    for route in routes:
        if route["address"] and fields.get(route["channel"]) == "email":
            yield route["address"]


def _named(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _suppression(api: Api, email: str) -> str:
    found = api.read("suppressions", email=email)
    if found is None:
        return f"{email} is not suppressed"
    since = story.moment(found["created_at"])
    return f"{email} is suppressed since {since} UTC, and not mailed: {found['reason']}"


def _devices(api: Api, user_id: str) -> str:
    if api.read("suppressions", user_id=user_id) is not None:
        return f"user {user_id} was erased: nothing is stored for the user"
    devices = (api.read("devices", user_id=user_id) or {"devices": []})["devices"]
    if not devices:
        return f"user {user_id} has no device"
    return f"user {user_id} has {', '.join(_device(device) for device in devices)}"


def _device(device: Document) -> str:
    dead = device["dead_at"]
    stands = f"dead since {story.moment(dead)} UTC" if dead else "alive"
    return f"{device['platform']} device {device['device_session_id']} ({stands})"


def _api(environment: str | None) -> Api:
    """Return the API of an environment, or of the local stack where none is named."""
    if environment is None:
        return Api(LOCAL.format(port=os.environ.get("PORT") or "8080"), aws.get_unsigned)
    site = Site(root=ROOT, environment=environment)
    url = site.output("ApiUrl")
    if url is None:
        raise OperatorError(f"{environment} is not deployed", site.deploy)
    return Api(url, site.aws.get)


def _given(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make why", description="why did somebody get nothing?")
    parser.add_argument("--env", help="a section of samconfig.toml; without it the local stack")
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--user", help="a user's id")
    way.add_argument("--email", help="an address")
    way.add_argument("--key", help="an idempotency key, with its kind")
    way.add_argument("--id", help="a notification's id")
    parser.add_argument("--kind", help="the kind of the key")
    given = parser.parse_args(arguments)
    if bool(given.key) != bool(given.kind):
        parser.error("a key is looked for within its kind: KIND= and KEY=")
    return given


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
