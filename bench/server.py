"""The PostgreSQL that all contenders share, durable, on the disk of this checkout."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.postgres import Server

DIRECTORY = Path(__file__).parents[1] / ".bench"

SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # What is measured is not to wait for reads: all indexes of depth.py fit in.
    "shared_buffers": "3GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "random_page_cost": "1.1",
    "max_connections": "200",
    # Counts nothing but where a table asks for it (snapshot.py).
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track": "none",
}


@contextmanager
def running() -> Iterator[Server]:
    """Run a server with a new data directory, and remove it afterwards."""
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    try:
        with Server(DIRECTORY, settings=SETTINGS) as server:
            # For the contenders in Node.js, which do not read it from the URL.
            os.environ["PGPASSFILE"] = str(server.passwords)
            yield server
    finally:
        shutil.rmtree(DIRECTORY, ignore_errors=True)
