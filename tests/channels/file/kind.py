"""What a kind says to the channel: its template file."""

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from dovecote.catalog.kinds import Catalog
from dovecote.catalog.sections import Section
from dovecote.channels.file.settings import FileSettings

LINE = "line.txt"


class FileKind(Section, frozen=True):
    """The keys of the channel in a kind's entry: none."""

    files: ClassVar[Mapping[str, type[msgspec.Struct] | None]] = {LINE: None}


SECTION = FileKind


def check_catalog(_settings: FileSettings, _catalog: Catalog) -> None:
    """Do nothing: no kind needs a setting of the channel."""
