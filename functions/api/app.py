"""Each HTTP route of the template except submits, by its key."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import asdict

from dovecote.aws import documents, events, openapi, responses
from dovecote.aws.events import Http
from dovecote.aws.responses import Response
from dovecote.core.parsing import query_string
from dovecote.core.problems import Malformed, NotFound
from dovecote.wiring import api, observability


def handler(event: Any, context: Any) -> Response:
    """Answer an HTTP event."""
    try:
        request = events.http(event)
    except Malformed as malformed:
        return responses.problem(malformed)
    log = observability.start_log(context, events.header(request, "traceparent"))
    return responses.respond(lambda: ROUTES.get(request.route_key, no_route)(request), log)


def no_route(_: Http) -> Response:
    """Refuse a request to an unknown route."""
    raise NotFound("There is no such route.")


def find_notifications(event: Http) -> Response:
    """Return the notifications of a person, or the one with a key."""
    found = api.notifications().find(event.raw_query_string)
    return responses.page("notifications", found, documents.notification)


def get_notification(event: Http) -> Response:
    """Return a notification with its routes, or those of a person, and their histories."""
    notification_id = events.path_parameter(event, "notification_id")
    story = api.notifications().get(notification_id, event.raw_query_string)
    return responses.ok(documents.story(story))


def cancel_notification(event: Http) -> Response:
    """Cancel the routes of a notification that dispatch has not sent yet."""
    query_string.expect_none(event.raw_query_string)
    notification_id = events.path_parameter(event, "notification_id")
    return responses.ok(api.notifications().cancel(notification_id))


def find_dead_letters(event: Http) -> Response:
    """Return the open dead letters that match a filter."""
    found = api.dead_letters().find(event.raw_query_string)
    return responses.page("dead_letters", found, documents.dead_letter)


def redrive_dead_letter(event: Http) -> Response:
    """Give a dead letter a fresh set of attempts."""
    query_string.expect_none(event.raw_query_string)
    route_id = events.path_parameter(event, "route_id")
    body, caller = events.body(event), events.caller(event)
    redriven = api.dead_letters().redrive(route_id, body, caller)
    return responses.accepted(documents.notification(redriven))


def redrive_dead_letters(event: Http) -> Response:
    """Give the dead letters that match a filter a fresh set of attempts, or count them."""
    query_string.expect_none(event.raw_query_string)
    done = api.dead_letters().redrive_all(events.body(event), events.caller(event))
    if isinstance(done, int):
        return responses.ok({"matched": done})
    return responses.accepted(documents.redrive_result(done))


def find_redrives(event: Http) -> Response:
    """Return the recorded redrives, with their callers."""
    found = api.dead_letters().find_redrives(event.raw_query_string)
    return responses.page("redrives", found, documents.redrive)


def find_refused(event: Http) -> Response:
    """Return the refused submissions in SQL, with their problems."""
    found = api.inbox().find_refused(event.raw_query_string)
    return responses.page("refused", found, documents.refused)


def put_device(event: Http) -> Response:
    """Register a device, or give it another token."""
    query_string.expect_none(event.raw_query_string)
    return responses.ok(documents.device(api.devices().put(events.body(event))))


def find_devices(event: Http) -> Response:
    """Return the devices of a user."""
    return responses.page("devices", api.find_devices(event.raw_query_string), asdict)


def delete_device(event: Http) -> Response:
    """Delete a device."""
    api.devices().delete(event.raw_query_string)
    return responses.no_content()


def get_overview(_: Http) -> Response:
    """Return the overview of all deliveries."""
    return responses.ok(api.overview())


def erase_user(event: Http) -> Response:
    """Erase a user from all stored records."""
    return responses.ok(documents.erasure(api.erasure().user(event.raw_query_string)))


def erase_recipient(event: Http) -> Response:
    """Erase an address from all stored records."""
    return responses.ok(documents.erasure(api.erasure().recipient(event.raw_query_string)))


def get_suppression(event: Http) -> Response:
    """Return why an address is suppressed."""
    return responses.ok(api.suppressions().get(event.raw_query_string))


def put_suppression(event: Http) -> Response:
    """Suppress an address."""
    query_string.expect_none(event.raw_query_string)
    return responses.ok(api.suppressions().put(events.body(event)))


def delete_suppression(event: Http) -> Response:
    """Allow sends to an address again."""
    released = api.suppressions().delete(event.raw_query_string)
    return responses.ok({"released": released})


def get_description(_: Http) -> Response:
    """Return the OpenAPI description."""
    return responses.ok(openapi.document())


ROUTES: Mapping[str, Callable[[Http], Response]] = {
    "GET /notifications": find_notifications,
    "GET /notifications/{notification_id}": get_notification,
    "DELETE /notifications/{notification_id}": cancel_notification,
    "GET /dead-letters": find_dead_letters,
    "POST /dead-letters/redrive": redrive_dead_letters,
    "POST /dead-letters/{route_id}/redrive": redrive_dead_letter,
    "GET /redrives": find_redrives,
    "GET /refused": find_refused,
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
