"""Bring the database to this release: the use case of functions/provision.

`python -m dovecote.wiring.provision` does the same for the database of the environment, except for
the database users.
"""

import sys
import time
from functools import cache
from pathlib import Path

from dovecote import channels
from dovecote.catalog import kinds
from dovecote.catalog.errors import BadCatalog
from dovecote.core.errors import StoreError
from dovecote.core.parsing.settings import BadSettings
from dovecote.store.schema.migrate import ChangedMigration
from dovecote.store.schema.provision import Provision
from dovecote.wiring.clients import connect
from dovecote.wiring.observability import log
from dovecote.wiring.settings import load

TIMEOUT_SECONDS = 600.0
"""How long the command may take."""


@cache
def provision() -> Provision:
    """Return the use case that brings the database to this release.

    Raises BadSettings and BadCatalog at once, before it waits for a database: a deployment stops
    before a function has a catalog that it cannot read.
    """
    kinds.load(Path(load().catalog_path), channels.sections())
    return Provision(
        connect=connect,
        clock=time.monotonic,
        sleep=time.sleep,
        log=log(),
    )


if __name__ == "__main__":
    try:
        done = provision()({}, TIMEOUT_SECONDS)
    except (BadCatalog, BadSettings, ChangedMigration, StoreError) as error:
        sys.exit(str(error))
    for applied in done.applied:
        print(f"applied {applied}")
    print(f"the schema is at version {done.version}")
