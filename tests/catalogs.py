"""Catalogs of a test's own: kinds by their schemas, with templates that say little."""

from pathlib import Path
from typing import Any

import yaml

TEXTS = {
    "subject.txt": "Hello",
    "body.html": "<p>Hello</p>",
    "body.txt": "Hello",
    "push.json": '{"title": "Hello", "body": "Hello"}',
}


def write_catalog(folder: Path, kinds: dict[str, dict[str, Any]], **texts: str) -> Path:
    """Write a catalog of kinds, by the texts of the first; return its folder.

    A kind is its schema's keywords beyond `type`, and with `channels` its channels [email].
    `texts` are those of TEXTS that all kinds have otherwise, with _ for the dot.
    """
    entries: dict[str, Any] = {}
    for name, schema in kinds.items():
        rules = {key: value for key, value in schema.items() if key != "channels"}
        channels = schema.get("channels", ["email"])
        entries[name] = {"channels": channels, "schema": {"type": "object", **rules}}
        for file, text in TEXTS.items():
            path = folder / "templates" / name.replace(".", "-") / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(texts.get(file.replace(".", "_"), text), encoding="utf-8")
    (folder / "kinds.yaml").write_text(yaml.safe_dump({"kinds": entries}), encoding="utf-8")
    return folder
