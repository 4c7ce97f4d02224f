"""Bring the database of the environment to this release: `python -m dovecote.wiring.provision`.

As functions/provision does it, without users: who runs it owns the database, and has it to hand.
"""

import sys

from dovecote import wiring
from dovecote.catalog.kinds import BadCatalog
from dovecote.core.errors import StoreError
from dovecote.store.migrate import ChangedMigration
from dovecote.wiring.settings import BadSettings

SECONDS = 600.0
"""What it may take, as the function may."""

if __name__ == "__main__":
    try:
        done = wiring.provision()({}, SECONDS)
    except (BadCatalog, BadSettings, ChangedMigration, StoreError) as error:
        sys.exit(str(error))
    for applied in done.applied:
        print(f"applied {applied}")
    print(f"the schema is at version {done.version}, and the catalog is published")
