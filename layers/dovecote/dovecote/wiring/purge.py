"""The use case of functions/purge."""

from functools import cache

from dovecote.operations.purge import Purge
from dovecote.store.operations.retention import PostgresRetention
from dovecote.wiring.clients import database
from dovecote.wiring.observability import log
from dovecote.wiring.settings import load


@cache
def purge() -> Purge:
    """Return the use case that deletes records past their retention."""
    retention = PostgresRetention(database())
    return Purge(store=retention, days=load().retention_days, log=log())
