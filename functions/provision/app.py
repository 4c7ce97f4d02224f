"""The schema and the users of the database, for CloudFormation or by direct invocation."""

from collections.abc import Mapping
from typing import Any

from dovecote import cloudformation

RETURN_SECONDS = 5.0
"""What a direct invocation leaves of the function's time."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Provision the database; `users` are the names of its users by function."""
    seconds = context.get_remaining_time_in_millis() / 1000

    def work(properties: Mapping[str, Any], left: float) -> dict[str, str]:
        done = provision(properties["Users"], left, context)
        settings = cloudformation.digest(properties["Settings"])
        return {"Version": str(done["version"]), "Settings": settings}

    if cloudformation.asks(event):
        cloudformation.answer(event, work, seconds)
        return {}
    return provision(event.get("users", {}), seconds - RETURN_SECONDS, context)


def provision(users: Mapping[str, str], seconds: float, context: Any) -> dict[str, Any]:
    """Return the migrations that were applied, and the version of the schema."""
    from dovecote import wiring  # noqa: PLC0415 - CloudFormation is answered if that fails

    done = wiring.provision()(users, seconds)
    wiring.log_of(context).info("provisioned", applied=done.applied, version=done.version)
    return {"applied": done.applied, "version": done.version}
