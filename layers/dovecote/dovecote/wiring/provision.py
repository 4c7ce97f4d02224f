"""The use case of functions/provision."""

from __future__ import annotations

import time
from collections import ChainMap
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from dovecote.wiring.database import connect
from dovecote.wiring.logs import log
from dovecote.wiring.settings import load

if TYPE_CHECKING:
    from dovecote.catalog.publication import Publication
    from dovecote.store.schema.provision import Provision
    from dovecote.wiring.settings import Settings


@cache
def provision() -> Provision:
    """Return the use case that brings the database to this release.

    Raises BadSettings and BadCatalog at once, before it waits for a database.
    """
    from dovecote.store.schema.provision import Provision

    return Provision(
        connect=connect,
        publication=publication(load()),
        clock=time.monotonic,
        sleep=time.sleep,
        log=log(),
    )


def publication(settings: Settings) -> Publication:
    """Return the catalog and the rules that submits in SQL follow; raise BadCatalog."""
    from dovecote import channels
    from dovecote.catalog import kinds
    from dovecote.catalog.publication import Publication

    folder = Path(settings.catalog_path)
    return Publication(
        catalog=kinds.load(folder, channels.sections()),
        version=kinds.version(folder),
        **ChainMap(*(dict(channel.published) for channel in settings.channels)),
    )
