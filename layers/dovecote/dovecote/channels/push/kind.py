"""What a kind says to push: its template file."""

from collections.abc import Iterable, Mapping
from typing import ClassVar, Self

import msgspec

FILE = "push.json"


class Alert(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a phone shows of a push notification; in push.json, a template for each."""

    title: str
    body: str


class PushKind(msgspec.Struct, frozen=True):
    """The keys of push in a kind's entry: none."""

    files: ClassVar[Mapping[str, type[msgspec.Struct] | None]] = {FILE: Alert}

    def checked(self) -> Self:
        """Return this section."""
        return self

    def lines(self) -> Iterable[tuple[str, str]]:
        """Return no template: push has no keys in an entry."""
        return ()
