"""What a kind says to push: its template file."""

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from dovecote.catalog.kinds import Catalog
from dovecote.catalog.sections import Section
from dovecote.channels.push.settings import PushSettings

FILE = "push.json"


class Alert(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a phone shows of a push notification; in push.json, a template for each."""

    title: str
    body: str


class PushKind(Section, frozen=True):
    """The keys of push in a kind's entry: none."""

    files: ClassVar[Mapping[str, type[msgspec.Struct] | None]] = {FILE: Alert}


SECTION = PushKind


def check_catalog(_settings: PushSettings, _catalog: Catalog) -> None:
    """Do nothing: no kind needs a setting of push."""
