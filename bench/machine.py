"""What the numbers were taken on: no host's name, no path."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import psycopg


def described(url: str) -> str:
    """Return the date, the processor, and the versions in one sentence."""
    with psycopg.connect(url) as connection:
        postgres = connection.info.server_version
    today = datetime.now(UTC).date().isoformat()
    return (
        f"Taken on {today}: {os.cpu_count()} cores of {_processor()}, PostgreSQL"
        f" {postgres // 10000}.{postgres % 10000} with fsync on, Python"
        f" {platform.python_version()}."
    )


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
