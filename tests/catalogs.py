"""Catalogs of a test's own: kinds by their schemas, with templates that say little."""

import json
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from msgspec.structs import fields

from dovecote.catalog.kinds import _Entry
from dovecote.channels import NAMES
from dovecote.channels import sections as sections_of_channels


def _text(file: str, shape: type[Any] | None) -> str:
    if shape is not None:
        return json.dumps({field.encode_name: "Hello" for field in fields(shape)})
    return "<p>Hello</p>" if file.endswith(".html") else "Hello"


TEXTS = {
    file: _text(file, shape)
    for section in sections_of_channels().values()
    for file, shape in section.files.items()
}
"""A text for each template file of the registered channels."""

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "layers" / "catalog" / "catalog"


@cache
def shipped() -> Path:
    """Return the catalog that users edit.

    Where a channel that it names does not exist, it is a copy without that channel.
    """
    document = yaml.safe_load((SHIPPED / "kinds.yaml").read_text("utf-8"))
    if all(set(entry["channels"]) <= set(NAMES) for entry in document["kinds"].values()):
        return SHIPPED
    folder = Path(shutil.copytree(SHIPPED, Path(tempfile.mkdtemp()) / "catalog"))
    kinds = {name: _of_channels(entry) for name, entry in document["kinds"].items()}
    left = {name: entry for name, entry in kinds.items() if entry["channels"]}
    (folder / "kinds.yaml").write_text(yaml.safe_dump({"kinds": left}), encoding="utf-8")
    return folder


def checkout(folder: Path) -> Path:
    """Return this checkout, with the catalog of `shipped`.

    Where that is a copy, the checkout is a folder of links.
    """
    if shipped() == SHIPPED:
        return ROOT
    replaced = folder
    for name in SHIPPED.relative_to(ROOT).parts:
        replaced.mkdir(parents=True)
        for entry in (ROOT / replaced.relative_to(folder)).iterdir():
            if entry.name != name:
                (replaced / entry.name).symlink_to(entry)
        replaced = replaced / name
    replaced.symlink_to(shipped())
    return folder


def _of_channels(entry: dict[str, Any]) -> dict[str, Any]:
    """Return an entry with the channels that exist, and the keys that they know."""
    sections: Any = sections_of_channels().values()
    known = {field.encode_name for one in (_Entry, *sections) for field in fields(one)}
    kept = {key: value for key, value in entry.items() if key in known}
    return {**kept, "channels": [name for name in entry["channels"] if name in NAMES]}


def texts_of(channel: str, title: str, body: str) -> dict[str, str]:
    """Return the texts for `write_catalog` with which a channel's message has a title and a body.

    Both are templates. An email's title is its subject, and its body the one of plain text.
    """
    if channel == "push":
        return {"push_json": json.dumps({"title": title, "body": body})}
    return {"subject_txt": title, "body_txt": body}


def write_catalog(folder: Path, kinds: dict[str, dict[str, Any]], **texts: str) -> Path:
    """Write a catalog of kinds, by the texts of the first; return its folder.

    A kind is its schema's keywords beyond `type`, and with `channels` its channels [the first].
    `texts` are those of TEXTS that all kinds have otherwise, with _ for the dot.
    """
    entries: dict[str, Any] = {}
    for name, schema in kinds.items():
        rules = {key: value for key, value in schema.items() if key != "channels"}
        channels = schema.get("channels", [NAMES[0]])
        entries[name] = {"channels": channels, "schema": {"type": "object", **rules}}
        for file, text in TEXTS.items():
            path = folder / "templates" / name.replace(".", "-") / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(texts.get(file.replace(".", "_"), text), encoding="utf-8")
    (folder / "kinds.yaml").write_text(yaml.safe_dump({"kinds": entries}), encoding="utf-8")
    return folder
