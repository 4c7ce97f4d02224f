"""The schema and the users of the database, for CloudFormation or by direct invocation."""

from collections.abc import Mapping
from typing import Any

from dovecote.aws import cloudformation

RETURN_SECONDS = 5.0
"""What a direct invocation leaves of the function's time."""


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Provision the database; `users` are the names of its users by function."""
    seconds = context.get_remaining_time_in_millis() / 1000

    def work(properties: Mapping[str, Any], left: float) -> dict[str, str]:
        from dovecote.aws import events  # noqa: PLC0415 - CloudFormation is answered if that fails

        asked = events.provisioning(properties)
        done = provision_database(asked.users, left, context)
        return {"Version": str(done["version"]), "Settings": cloudformation.digest(asked.settings)}

    if not cloudformation.asks(event):
        return provision_directly(event, seconds - RETURN_SECONDS, context)
    try:
        cloudformation.answer(event, work, seconds)
    except cloudformation.Unreadable as error:
        return {"type": "about:blank", "title": "Bad Request", "status": 400, "detail": str(error)}
    return {}


def provision_directly(event: Any, seconds: float, context: Any) -> dict[str, Any]:
    """Provision the database for a direct invocation, or return its problem."""
    from dovecote.aws import events  # noqa: PLC0415 - not before CloudFormation is answered
    from dovecote.core import problems  # noqa: PLC0415 - not before CloudFormation is answered

    try:
        users = events.users(event)
    except problems.Malformed as malformed:
        return malformed.document()
    return provision_database(users, seconds, context)


def provision_database(users: Mapping[str, str], seconds: float, context: Any) -> dict[str, Any]:
    """Return the migrations that were applied, and the version of the schema."""
    from dovecote.wiring import observability, provision  # noqa: PLC0415 - answer CloudFormation if it fails

    done = provision.provision()(users, seconds)
    observability.start_log(context).info("provisioned", applied=done.applied, version=done.version)
    return {"applied": done.applied, "version": done.version}
