"""Bring the database of the environment to this release: `python -m dovecote.wiring.migrate`.

It does the work of functions/provision except for the database users.
"""

import sys

from dovecote.catalog.kinds import BadCatalog
from dovecote.core.errors import StoreError
from dovecote.core.parsing.settings import BadSettings
from dovecote.store.schema.migrate import ChangedMigration
from dovecote.wiring import provision

TIMEOUT_SECONDS = 600.0

if __name__ == "__main__":
    try:
        done = provision.provision()({}, TIMEOUT_SECONDS)
    except (BadCatalog, BadSettings, ChangedMigration, StoreError) as error:
        sys.exit(str(error))
    for applied in done.applied:
        print(f"applied {applied}")
    print(f"the schema is at version {done.version}, and the catalog is published")
