"""The use case of functions/purge."""

from functools import cache

from dovecote.operations.purge import Purge
from dovecote.store.operations.purge import PostgresPurge
from dovecote.wiring.clients import database
from dovecote.wiring.observability import log
from dovecote.wiring.settings import load


@cache
def purge() -> Purge:
    """Return the use case that deletes records past their retention."""
    settings = load()
    return Purge(
        store=PostgresPurge(database()),
        days=settings.retention_days,
        payload_days=settings.payload_retention_days,
        log=log(),
    )
