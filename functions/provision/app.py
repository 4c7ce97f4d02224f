"""Migrations: bring the database to the newest schema."""

from typing import Any

from dovecote import wiring


def handler(_event: dict[str, Any], context: Any) -> dict[str, list[str]]:
    """Apply the migrations that the database lacks; return their names."""
    applied = wiring.migrate()
    wiring.log_of(context).info("migrated", applied=applied)
    return {"applied": applied}
