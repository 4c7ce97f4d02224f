"""Read, find and cancel notifications."""

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any, Protocol
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from dovecote.core.notification import Cancellation, Notification, Story
from dovecote.core.parsing import queries
from dovecote.core.parsing.queries import Page, Reader
from dovecote.core.problems import Fault, Invalid, NotFound
from dovecote.core.route import Route
from dovecote.operations.inbox import Inbox

UNKNOWN = "There is no such notification."
INVALID_QUERY = "The query is invalid."

PERSON: Mapping[str, Reader] = {"user_id": queries.identifier, "email": queries.email}
KEY: Mapping[str, Reader] = {"kind": queries.text, "idempotency_key": queries.text}
PAGE: Mapping[str, Reader] = {"after": queries.uuid, "limit": queries.limit}
"""The parameters that name a person, an idempotency key, and a page."""

MAX_ROUTES = 1_000
"""An answer has histories of so many routes, and a page as many: Lambda returns 6 MB at most."""


class NotificationStore(Protocol):
    """The store of notifications. Every call may raise StoreError."""

    def find(self, kind: str, idempotency_key: str) -> Notification | None:
        """Return the notification that holds this key within its kind."""

    def story(self, notification_id: UUID) -> Story | None:
        """Return a notification with its routes and their histories; None if it has no routes."""

    def of_user(self, user_id: str, after: UUID | None, limit: int) -> list[Notification]:
        """Return a user's notifications after a place, the newest first, with the user's routes."""

    def of_email(self, email: str, after: UUID | None, limit: int) -> list[Notification]:
        """Return an address's notifications after a place, the newest first, with its routes."""

    def cancel(self, notification_id: UUID) -> Cancellation | None:
        """Cancel the routes that are still to be sent; return None if there are no routes.

        Routes that an earlier call cancelled count again.
        """


class Notifications(Struct, kw_only=True):
    """Use cases of a stored notification."""

    store: NotificationStore
    inbox: Inbox

    def get(self, notification_id: str, query: str) -> Story:
        """Return a notification with its routes, or a person's routes, and their histories.

        Omits the histories of more than MAX_ROUTES routes. Raises NotFound and Invalid.
        """
        person = queries.read(query, PERSON, INVALID_QUERY)
        story = self.inbox.expanded(_parsed(notification_id), self.store.story)
        if story is None:
            raise NotFound(UNKNOWN)
        routes = [route for route in story.notification.routes if _is_of(route, person)]
        histories = story.histories if len(routes) <= MAX_ROUTES else {}
        return Story(notification=replace(story.notification, routes=routes), histories=histories)

    def find(self, query: str) -> Page[Notification]:
        """Return a page of the notifications of a user or an address, or of the one with a key.

        Raises Invalid.
        """
        given = queries.read(query, {**PERSON, **KEY, **PAGE}, INVALID_QUERY)
        ways = given.keys() - PAGE.keys()
        if ways == {"user_id"}:
            return _page(self.store.of_user, given["user_id"], given)
        if ways == {"email"}:
            return _page(self.store.of_email, given["email"], given)
        if given.keys() == KEY.keys():
            found = self._holder(given["kind"], given["idempotency_key"])
            return Page(items=[] if found is None else [found], next=None)
        allowed = "must have user_id, or email, or kind and idempotency_key without after and limit"
        raise Invalid(INVALID_QUERY, [Fault("", allowed)])

    def _holder(self, kind: str, idempotency_key: str) -> Notification | None:
        """Return the notification that holds a key; expand it first if it is pending."""
        found = self.store.find(kind, idempotency_key)
        if found is None or found.routes:
            return found
        self.inbox.settle(found.notification_id)
        return self.store.find(kind, idempotency_key)

    def cancel(self, notification_id: str) -> Cancellation:
        """Cancel the unsent routes that no worker has claimed; raise NotFound."""
        cancellation = self.inbox.expanded(_parsed(notification_id), self.store.cancel)
        if cancellation is None:
            raise NotFound(UNKNOWN)
        return cancellation


def _page(
    find: Callable[[str, UUID | None, int], list[Notification]],
    person: str,
    given: Mapping[str, Any],
) -> Page[Notification]:
    limit = given.get("limit", queries.USUAL)
    found = find(person, given.get("after"), limit + 1)
    return queries.page(found, _fitting(found[:limit]), lambda one: one.notification_id)


def _fitting(found: Sequence[Notification]) -> int:
    """Return how many have at most MAX_ROUTES routes in total, and at least 1."""
    counts = accumulate(len(one.routes) for one in found)
    return max(1, sum(count <= MAX_ROUTES for count in counts))


def _is_of(route: Route, person: Mapping[str, str]) -> bool:
    mailed = (route.address or "").lower()
    return (
        person.get("user_id") in (None, route.user_id)
        and person.get("email", mailed).lower() == mailed
    )


def _parsed(notification_id: str) -> UUID:
    try:
        return UUID(notification_id)
    except ValueError:
        raise NotFound(UNKNOWN) from None
