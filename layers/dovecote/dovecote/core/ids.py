"""The ids of notifications and routes."""

import os
import time
from uuid import UUID


def uuid7() -> UUID:
    """Return a UUID of version 7 (RFC 9562): the milliseconds since 1970, then 74 bits of chance.

    Rows that are stored together, and will be claimed together, so lie together in the indexes.
    """
    milliseconds = (time.time_ns() // 1_000_000) & (1 << 48) - 1
    chance = int.from_bytes(os.urandom(10))
    return UUID(
        int=milliseconds << 80
        | 0x7 << 76
        | (chance >> 68) << 64
        | 0b10 << 62
        | chance & (1 << 62) - 1
    )
