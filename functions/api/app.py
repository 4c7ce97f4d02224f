"""Each route of the template by its key: reads, finds, cancels, redrives, and what is of people."""

from collections.abc import Callable, Mapping
from typing import Any

from dovecote import events, gateway, openapi, wiring
from dovecote.events import Http
from dovecote.gateway import Answer
from dovecote.problems import Malformed, NotFound


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
    return gateway.told(story)


def cancel_notification(event: Http) -> Answer:
    """Cancel what of a notification is still to be sent."""
    (notification_id,) = gateway.parameters_of(event, "notification_id")
    return gateway.cancelled(wiring.notifications().cancel(notification_id))


def find_dead_letters(event: Http) -> Answer:
    """Return the open dead letters of a filter."""
    found = wiring.dead_letters().find(gateway.query_of(event))
    return gateway.page_of("dead_letters", found, gateway.dead_letter_document)


def redrive_dead_letter(event: Http) -> Answer:
    """Give a dead letter a fresh set of attempts."""
    (route_id,) = gateway.parameters_of(event, "route_id")
    body, who = gateway.body_of(event), gateway.caller_of(event)
    return gateway.redriven(wiring.dead_letters().redrive(route_id, body, who))


def redrive_dead_letters(event: Http) -> Answer:
    """Give the dead letters of a filter a fresh set of attempts, or count them."""
    body, who = gateway.body_of(event), gateway.caller_of(event)
    return gateway.redriven_by_filter(wiring.redrives().redrive(body, who))


def find_redrives(event: Http) -> Answer:
    """Return who redrove what."""
    found = wiring.redrives().find(gateway.query_of(event))
    return gateway.page_of("redrives", found, gateway.redrive_document)


def put_device(event: Http) -> Answer:
    """Register a device, or give it another token."""
    user_id, session = gateway.parameters_of(event, "user_id", "device_session_id")
    return gateway.registered(wiring.devices().put(user_id, session, gateway.body_of(event)))


def get_devices(event: Http) -> Answer:
    """Return the devices of a user."""
    (user_id,) = gateway.parameters_of(event, "user_id")
    return gateway.listed(wiring.registrations().all(user_id))


def get_device(event: Http) -> Answer:
    """Return a device."""
    user_id, session = gateway.parameters_of(event, "user_id", "device_session_id")
    return gateway.shown(wiring.registrations().get(user_id, session))


def delete_device(event: Http) -> Answer:
    """Forget a device."""
    user_id, session = gateway.parameters_of(event, "user_id", "device_session_id")
    wiring.devices().delete(user_id, session)
    return gateway.forgotten()


def get_overview(_: Http) -> Answer:
    """Return how all stands."""
    return gateway.answer(200, wiring.overview()())


def erase_user(event: Http) -> Answer:
    """Erase a user from all that is stored of them."""
    (user_id,) = gateway.parameters_of(event, "user_id")
    return gateway.erased(wiring.erasure().user(user_id))


def erase_recipient(event: Http) -> Answer:
    """Erase an address from all that is stored of it."""
    (email,) = gateway.parameters_of(event, "email")
    return gateway.erased(wiring.erasure().recipient(email))


def get_suppression(event: Http) -> Answer:
    """Return why an address is suppressed."""
    (email,) = gateway.parameters_of(event, "email")
    return gateway.suppressed(wiring.suppressions().get(email))


def put_suppression(event: Http) -> Answer:
    """Suppress an address."""
    (email,) = gateway.parameters_of(event, "email")
    return gateway.suppressed(wiring.suppressions().put(email, gateway.body_of(event)))


def delete_suppression(event: Http) -> Answer:
    """Let an address be sent to again."""
    (email,) = gateway.parameters_of(event, "email")
    return gateway.let_go(wiring.suppressions().delete(email, gateway.query_of(event)))


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
    "GET /users/{user_id}/devices": get_devices,
    "GET /users/{user_id}/devices/{device_session_id}": get_device,
    "PUT /users/{user_id}/devices/{device_session_id}": put_device,
    "DELETE /users/{user_id}/devices/{device_session_id}": delete_device,
    "GET /overview": get_overview,
    "DELETE /users/{user_id}": erase_user,
    "DELETE /recipients/{email}": erase_recipient,
    "GET /suppressions/{email}": get_suppression,
    "PUT /suppressions/{email}": put_suppression,
    "DELETE /suppressions/{email}": delete_suppression,
    "GET /openapi.json": get_description,
}
