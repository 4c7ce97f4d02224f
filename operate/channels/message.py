"""What the console shows of a channel's message."""

from collections.abc import Mapping

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A rendered message; `html` is None where the channel has none."""

    title: str
    text: str
    html: str | None = None
    headers: Mapping[str, str] = {}
