"""Reads, cancels, redrives and devices: each route of the template by its key."""

from collections.abc import Callable, Mapping
from typing import Any

from dovecote import gateway, openapi, wiring
from dovecote.gateway import Answer


def handler(event: dict[str, Any], context: Any) -> Answer:
    """Answer an HTTP event."""
    log = wiring.log_of(context)
    return gateway.answered(lambda: ROUTES[event["routeKey"]](event), log)


def get_notification(event: Mapping[str, Any]) -> Answer:
    """Return a notification with its routes."""
    (notification_id,) = gateway.parameters_of(event, "notification_id")
    return gateway.told(wiring.notifications().get(notification_id))


def cancel_notification(event: Mapping[str, Any]) -> Answer:
    """Cancel what of a notification is still to be sent."""
    (notification_id,) = gateway.parameters_of(event, "notification_id")
    return gateway.cancelled(wiring.notifications().cancel(notification_id))


def redrive_dead_letter(event: Mapping[str, Any]) -> Answer:
    """Give a dead letter a fresh set of attempts."""
    (route_id,) = gateway.parameters_of(event, "route_id")
    return gateway.redriven(wiring.dead_letters().redrive(route_id, gateway.body_of(event)))


def put_device(event: Mapping[str, Any]) -> Answer:
    """Register a device, or give it another token."""
    user_id, session = gateway.parameters_of(event, "user_id", "device_session_id")
    return gateway.registered(wiring.devices().put(user_id, session, gateway.body_of(event)))


def delete_device(event: Mapping[str, Any]) -> Answer:
    """Forget a device."""
    user_id, session = gateway.parameters_of(event, "user_id", "device_session_id")
    wiring.devices().delete(user_id, session)
    return gateway.forgotten()


def get_description(_event: Mapping[str, Any]) -> Answer:
    """Return the description of this API."""
    return gateway.answer(200, openapi.document())


ROUTES: Mapping[str, Callable[[Mapping[str, Any]], Answer]] = {
    "GET /notifications/{notification_id}": get_notification,
    "DELETE /notifications/{notification_id}": cancel_notification,
    "POST /dead-letters/{route_id}/redrive": redrive_dead_letter,
    "PUT /users/{user_id}/devices/{device_session_id}": put_device,
    "DELETE /users/{user_id}/devices/{device_session_id}": delete_device,
    "GET /openapi.json": get_description,
}
