"""The use case of functions/purge."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from dovecote.wiring.database import database
from dovecote.wiring.logs import log
from dovecote.wiring.settings import load

if TYPE_CHECKING:
    from dovecote.operations.purge import Purge


@cache
def purge() -> Purge:
    """Return the use case that deletes records past their retention."""
    from dovecote.operations.purge import Purge
    from dovecote.store.operations.retention import PostgresRetention

    retention = PostgresRetention(database())
    return Purge(store=retention, days=load().retention_days, log=log())
