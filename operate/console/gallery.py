"""The messages of each kind of the catalog, rendered with a sample payload."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from dovecote import channels
from dovecote.catalog import kinds
from dovecote.catalog.errors import PayloadRefused
from dovecote.catalog.kinds import Kind
from dovecote.catalog.rendering import Renderer
from operate.channels import part
from operate.channels.message import Message

Payload = Mapping[str, Any]

MADE_UP: Mapping[str, Any] = {
    "string": "sample", "integer": 5, "number": 5, "boolean": True, "array": [], "object": {},
}  # fmt: skip


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """The messages of a kind in a locale, by channel; a channel without a preview has none."""

    payload: Payload
    messages: Mapping[str, Message]


class Gallery:
    """The catalog of a checkout, read anew each time: what was edited shows at once."""

    def __init__(self, folder: Path, events: Path) -> None:
        self._folder = folder
        self._events = events

    def kinds(self) -> list[dict[str, Any]]:
        """Return the kinds with their channels and locales; raise BadCatalog."""
        catalog = kinds.load(self._folder, channels.sections())
        renderer = Renderer(catalog, self._folder)
        return [
            {
                "kind": kind.name,
                "channels": kind.channels,
                "priority": kind.priority,
                "locales": renderer.locales(kind),
            }
            for kind in catalog.values()
        ]

    def preview(self, name: str, locale: str | None) -> Preview | None:
        """Render a kind; None where there is none. Raise BadCatalog and RenderError."""
        catalog = kinds.load(self._folder, channels.sections())
        if name not in catalog:
            return None
        kind = catalog[name]
        payload = self._sample(kind)
        renderer = Renderer(catalog, self._folder)
        found = {channel: part(channel, "preview") for channel in kind.channels}
        messages = {
            channel: one.rendered(renderer, kind, locale, payload)
            for channel, one in found.items()
            if one
        }
        return Preview(payload=payload, messages=messages)

    def _sample(self, kind: Kind) -> Payload:
        """Return the schema's first example, else what an event sends, else something made up."""
        schema = kinds.parsed((self._folder / kinds.SOURCE).read_bytes())[kind.name]["schema"]
        for payload in (*schema.get("examples", ()), *self._sent(kind.name)):
            try:
                kind.check(payload)
            except PayloadRefused:
                continue
            return dict(payload)
        return {name: _made_up(schema, name) for name in sorted(kind.required)}

    def _sent(self, kind: str) -> Iterator[Payload]:
        """Yield what the files of events/ send of a kind, to the first of their recipients."""
        for path in sorted(self._events.glob("*.json")):
            body = _body(json.loads(path.read_text("utf-8")))
            if body.get("kind") == kind:
                yield {**body["payload"], **body["recipients"][0].get("data", {})}


def _body(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the notification that an event posts, or nothing."""
    if event.get("routeKey") != "POST /notifications":
        return {}
    body: Mapping[str, Any] = json.loads(event["body"])
    return body


def _made_up(schema: Mapping[str, Any], name: str) -> Any:
    member = schema.get("properties", {}).get(name, {})
    given = [*member.get("examples", ()), *member.get("enum", ())]
    return given[0] if given else MADE_UP.get(member.get("type", "string"), name)
