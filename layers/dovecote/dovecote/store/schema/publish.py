"""Publish the catalog to the tables that submits in SQL read."""

from typing import Any

import msgspec
import psycopg

from dovecote.catalog.kinds import Kind
from dovecote.catalog.publication import Publication
from dovecote.channels import lanes
from dovecote.store.queries import execute
from dovecote.store.schema.migrate import alone


def publish(connection: psycopg.Connection, publication: Publication) -> None:
    """Replace the publication in the database, on an open autocommit connection."""
    rows = [_row(kind, publication.version) for kind in publication.catalog.values()]
    kinds = msgspec.json.encode(rows).decode()
    routing = {
        "allowed": [entry.lower() for entry in publication.allowed],
        "redirect": publication.redirect,
        "topic": publication.topic,
    }
    with alone(connection), connection.transaction():
        execute(connection, "submit/publish_kinds", {"kinds": kinds})
        execute(connection, "submit/publish_routing", routing)


def _row(kind: Kind, version: str) -> dict[str, Any]:
    return {
        "kind": kind.name,
        "version": version,
        "channels": kind.channels,
        "priority": lanes.PRIORITIES[kind.priority],
        "time_to_live": kind.time_to_live,
        "max_attempts": kind.max_attempts,
        "required": sorted(kind.required),
    }
