"""The description of the HTTP API: openapi.yaml, or the JSON that the layer's build makes of it.

Neither lists the channels: the schema `Channel` gets its values from the registry, and `Recipient`
the address fields that the document does not describe.
"""

from functools import cache
from pathlib import Path
from typing import Any

import msgspec

SOURCE = Path(__file__).with_name("openapi.yaml")
COMPILED = SOURCE.with_suffix(".json")
ADDRESS = {"type": ["string", "null"]}
"""The schema of an address field."""


@cache
def document() -> msgspec.Raw:
    """Return the document as JSON, with the channels of the registry."""
    # Not at the top: most requests of api read no channel.
    from dovecote import channels  # noqa: PLC0415

    described = _described()
    schemas = described["components"]["schemas"]
    schemas["Channel"]["enum"] = channels.NAMES
    for channel in channels.every().values():
        schemas["Recipient"]["properties"].setdefault(channel.address_field, ADDRESS)
    return msgspec.Raw(msgspec.json.encode(described))


def _described() -> dict[str, Any]:
    """Read the document; a checkout has YAML alone, and a built layer JSON alone."""
    if COMPILED.exists():
        return msgspec.json.decode(COMPILED.read_bytes(), type=dict[str, Any])
    # Not at the top: to load PyYAML costs a cold start, and only a checkout needs it.
    from dovecote.catalog import strict_yaml  # noqa: PLC0415

    described: dict[str, Any] = strict_yaml.read(SOURCE.read_text("utf-8"))
    return described
