"""The identifiers and instants that producers may send."""

from datetime import datetime, timedelta
from typing import Annotated

import msgspec

CONTROLS = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
"""C0, DEL, C1 and the two separators that end a line: refused in ids and keys."""


Identifier = Annotated[str, msgspec.Meta(max_length=255, pattern=rf"^(?=.*\S)[^{CONTROLS}]*\Z")]
"""An id of the producer's own: a user or a device session."""


Instant = Annotated[datetime, msgspec.Meta(tz=True)]


INSTANT_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


def is_identifier(value: str) -> bool:
    """Return whether an id of the producer's can be stored."""
    try:
        msgspec.convert(value, Identifier)
    except msgspec.ValidationError:
        return False
    return True


def in_range(instant: datetime) -> bool:
    """Tell whether a time is one that can be stored and read again in any zone.

    RFC 3339 has offsets of up to a day, PostgreSQL of less than 16 hours, and the earth of 14.
    """
    offset = instant.utcoffset() or timedelta()
    return 1970 < instant.year < 9000 and abs(offset) < timedelta(hours=16)
