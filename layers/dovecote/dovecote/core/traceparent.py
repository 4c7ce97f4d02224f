"""The traceparent of a request, by the W3C's Trace Context."""

import re

from msgspec import Struct

_FORM = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-[!-~]*)?"
)
"""Version, trace, span, flags, and what versions after the first may say more."""

_LONGEST = 512


class Parent(Struct, frozen=True):
    """The span that a traceparent names, in hex digits."""

    trace_id: str
    span_id: str
    flags: str


def trimmed(traceparent: str | None) -> str:
    """Return a header's value without the blanks that HTTP allows around it."""
    return (traceparent or "").strip(" \t")


def read(traceparent: str | None) -> Parent | None:
    """Return the span that a traceparent names, or None where it is malformed."""
    text = trimmed(traceparent)
    found = _FORM.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if more is not None and version == "00":
        return None
    return Parent(trace_id, span_id, flags)
