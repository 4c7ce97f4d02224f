"""The files of events/, as the form offers them."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local.demo.case import Case, read_cases, target
from local.provider import Order

ABOUT = re.compile(r"^\| (\S+\.json) \| ([^|]+) \|", re.MULTILINE)


class Samples:
    """The HTTP requests of a directory of events, and what its demo orders of the provider."""

    def __init__(self, directory: Path) -> None:
        cases = read_cases(directory)
        about = dict(ABOUT.findall((directory / "README.md").read_text()))
        self._orders = {case.name: case.orders for case in cases if case.orders}
        documents = {case.name: self._document(case, about.get(case.name, "")) for case in cases}
        self.documents = list(documents.values())

    def orders(self, name: str) -> Sequence[Order]:
        """Return what the provider is told before the event is sent."""
        return self._orders.get(name, ())

    def _document(self, case: Case, about: str) -> dict[str, Any]:
        headers = case.event["headers"]
        return {
            "name": case.name,
            "title": case.name.removesuffix(".json").replace("-", " ").capitalize(),
            "about": about.strip(),
            "method": case.method,
            "path": target(case.event),
            "body": case.event.get("body"),
            "key": headers.get("idempotency-key"),
            "traceparent": headers.get("traceparent"),
            "ordered": case.name in self._orders,
        }
