"""The description of the HTTP API: openapi.yaml, or what the layer's build made of it."""

from functools import cache
from pathlib import Path

import msgspec

SOURCE = Path(__file__).with_name("openapi.yaml")
COMPILED = SOURCE.with_suffix(".json")


@cache
def document() -> msgspec.Raw:
    """Return the document as JSON; a checkout has YAML alone, and a built layer no YAML."""
    if COMPILED.exists():
        return msgspec.Raw(COMPILED.read_bytes())
    # Not at the top: to load PyYAML costs a cold start, and only a checkout needs it.
    from dovecote.catalog import strict_yaml  # noqa: PLC0415

    return msgspec.Raw(msgspec.json.encode(strict_yaml.read(SOURCE.read_text("utf-8"))))
