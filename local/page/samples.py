"""The files of events/, as the form offers them."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from local.demo.case import target
from local.provider import Order
from local.provider.order import read_orders

ABOUT = re.compile(r"^\| (\S+\.json) \| ([^|]+) \|", re.MULTILINE)


class Samples:
    """The HTTP requests of a directory of events, and what its demo orders of the provider."""

    def __init__(self, directory: Path) -> None:
        entries = yaml.safe_load((directory / "demo.yaml").read_text())
        about = dict(ABOUT.findall((directory / "README.md").read_text()))
        self._orders = {
            entry["event"]: read_orders(entry["order"]) for entry in entries if "order" in entry
        }
        names = dict.fromkeys(entry["event"] for entry in entries)
        self.documents = [
            self._document(directory / name, about.get(name, "").strip()) for name in names
        ]

    def orders(self, name: str) -> list[Order]:
        """Return what the provider is told before the event is sent."""
        return self._orders.get(name, [])

    def _document(self, path: Path, about: str) -> dict[str, Any]:
        event = json.loads(path.read_text())
        headers = event["headers"]
        return {
            "name": path.name,
            "title": path.stem.replace("-", " ").capitalize(),
            "about": about,
            "method": event["requestContext"]["http"]["method"],
            "path": target(event),
            "body": event.get("body"),
            "key": headers.get("idempotency-key"),
            "traceparent": headers.get("traceparent"),
            "ordered": path.name in self._orders,
        }
