"""Publish the catalog to the database: submits in SQL know no more of it than these tables."""

from typing import Any

import msgspec
import psycopg

from dovecote.catalog.kinds import Kind
from dovecote.catalog.publication import Publication
from dovecote.core import lanes
from dovecote.store.migrate import alone
from dovecote.store.statements import statement


def publish(connection: psycopg.Connection, publication: Publication) -> None:
    """Put a publication in place of the one before, on an open autocommit connection."""
    rows = [_row(kind, publication.version) for kind in publication.catalog.values()]
    kinds = msgspec.json.encode(rows).decode()
    routing = {
        "allowed": [entry.lower() for entry in publication.allowed],
        "redirect": publication.redirect,
        "topic": publication.topic,
    }
    with alone(connection), connection.transaction():
        connection.execute(statement("publish_kinds"), {"kinds": kinds})
        connection.execute(statement("publish_routing"), routing)


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
