"""Each route of the template by its key: reads, finds, cancels, redrives, and what is of people."""

from collections.abc import Callable, Mapping
from typing import Any

from dovecote import wiring
from dovecote.aws import events, gateway, openapi
from dovecote.aws.events import Http
from dovecote.aws.gateway import Answer
from dovecote.core import query_string
from dovecote.core.problems import Malformed, NotFound


def handler(event: Any, context: Any) -> Answer:
    """Answer an HTTP event."""
    try:
        request = events.http(event)
    except Malformed as malformed:
        return gateway.refused(malformed)
    log = wiring.log_of(context, gateway.header_of(request, "traceparent"))
    return gateway.answered(lambda: ROUTES.get(request.route_key, no_route)(request), log)


def no_route(_: Http) -> Answer:
    """Refuse a request for which there is no route."""
    raise NotFound("There is no such route.")


def find_notifications(event: Http) -> Answer:
    """Return the notifications of a person, or the one that holds a key."""
    found = wiring.notifications().find(gateway.query_of(event))
    return gateway.page_of("notifications", found, gateway.notification_document)


def get_notification(event: Http) -> Answer:
    """Return a notification with its routes, or those of a person, and their histories."""
    (notification_id,) = gateway.parameters_of(event, "notification_id")
    story = wiring.notifications().get(notification_id, gateway.query_of(event))
    return gateway.notification_answer(story)


def cancel_notification(event: Http) -> Answer:
    """Cancel what of a notification is still to be sent."""
    query_string.expect_none(gateway.query_of(event))
    (notification_id,) = gateway.parameters_of(event, "notification_id")
    return gateway.cancelled(wiring.notifications().cancel(notification_id))


def find_dead_letters(event: Http) -> Answer:
    """Return the open dead letters of a filter."""
    found = wiring.dead_letters().find(gateway.query_of(event))
    return gateway.page_of("dead_letters", found, gateway.dead_letter_document)


def redrive_dead_letter(event: Http) -> Answer:
    """Give a dead letter a fresh set of attempts."""
    query_string.expect_none(gateway.query_of(event))
    (route_id,) = gateway.parameters_of(event, "route_id")
    body, who = gateway.body_of(event), gateway.caller_of(event)
    return gateway.redriven(wiring.dead_letters().redrive(route_id, body, who))


def redrive_dead_letters(event: Http) -> Answer:
    """Give the dead letters of a filter a fresh set of attempts, or count them."""
    query_string.expect_none(gateway.query_of(event))
    body, who = gateway.body_of(event), gateway.caller_of(event)
    return gateway.redriven_by_filter(wiring.redrives().redrive(body, who))


def find_redrives(event: Http) -> Answer:
    """Return who redrove what."""
    found = wiring.redrives().find(gateway.query_of(event))
    return gateway.page_of("redrives", found, gateway.redrive_document)


def put_device(event: Http) -> Answer:
    """Register a device, or give it another token."""
    query_string.expect_none(gateway.query_of(event))
    return gateway.registered(wiring.devices().put(gateway.body_of(event)))


def find_devices(event: Http) -> Answer:
    """Return the devices of a user."""
    return gateway.listed(wiring.registrations().find(gateway.query_of(event)))


def delete_device(event: Http) -> Answer:
    """Forget a device."""
    wiring.devices().delete(gateway.query_of(event))
    return gateway.deleted()


def get_overview(_: Http) -> Answer:
    """Return how all stands."""
    return gateway.answer(200, wiring.overview()())


def erase_user(event: Http) -> Answer:
    """Erase a user from all that is stored of them."""
    return gateway.erased(wiring.erasure().user(gateway.query_of(event)))


def erase_recipient(event: Http) -> Answer:
    """Erase an address from all that is stored of it."""
    return gateway.erased(wiring.erasure().recipient(gateway.query_of(event)))


def get_suppression(event: Http) -> Answer:
    """Return why an address is suppressed."""
    return gateway.suppressed(wiring.suppressions().get(gateway.query_of(event)))


def put_suppression(event: Http) -> Answer:
    """Suppress an address."""
    query_string.expect_none(gateway.query_of(event))
    return gateway.suppressed(wiring.suppressions().put(gateway.body_of(event)))


def delete_suppression(event: Http) -> Answer:
    """Let an address be sent to again."""
    return gateway.unsuppressed(wiring.suppressions().delete(gateway.query_of(event)))


def get_description(_event: Http) -> Answer:
    """Return the description of this API."""
    return gateway.answer(200, openapi.document())


ROUTES: Mapping[str, Callable[[Http], Answer]] = {
    "GET /notifications": find_notifications,
    "GET /notifications/{notification_id}": get_notification,
    "DELETE /notifications/{notification_id}": cancel_notification,
    "GET /dead-letters": find_dead_letters,
    "POST /dead-letters/redrive": redrive_dead_letters,
    "POST /dead-letters/{route_id}/redrive": redrive_dead_letter,
    "GET /redrives": find_redrives,
    "GET /devices": find_devices,
    "PUT /devices": put_device,
    "DELETE /devices": delete_device,
    "GET /overview": get_overview,
    "DELETE /users": erase_user,
    "DELETE /recipients": erase_recipient,
    "GET /suppressions": get_suppression,
    "PUT /suppressions": put_suppression,
    "DELETE /suppressions": delete_suppression,
    "GET /openapi.json": get_description,
}
