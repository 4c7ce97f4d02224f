"""Check payloads against the JSON Schemas of kinds."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

from dovecote.catalog.errors import BadCatalog, PayloadRefused
from dovecote.core.parsing import strict_json
from dovecote.core.problems import pointer


def _refuse(reference: str) -> Any:
    raise ValueError(f"refers to {reference}; a schema must be whole by itself")


_NO_NETWORK = dict.fromkeys(("", "http", "https", "ftp", "file"), _refuse)


class Check:
    """Holds a payload against a kind's schema, a JSON Schema (draft 7).

    It is compiled when it is first used: a cold start pays for the kind that it is asked for, and
    not for the whole catalog. `make check` compiles them all.
    """

    def __init__(self, place: str, schema: dict[str, Any]) -> None:
        self.place = place
        self.schema = schema

    def __eq__(self, other: object) -> bool:
        """Tell whether another holds payloads of the same kind against the same schema."""
        if not isinstance(other, Check):
            return NotImplemented
        return (self.place, self.schema) == (other.place, other.schema)

    def __hash__(self) -> int:
        return hash(self.place)

    def __call__(self, payload: Mapping[str, Any]) -> None:
        """Check a payload as it was read; raise as `check` does."""
        self.check(strict_json.plain(payload))

    def check(self, payload: Mapping[str, Any]) -> None:
        """Check a payload whose numbers are int and float.

        Raises PayloadRefused, BadCatalog where the schema cannot be used, and whatever else a rule
        raises that cannot cope with a value, for example OverflowError.
        """
        # Not at the top: a function that checks no payload does not pay for it.
        from fastjsonschema import JsonSchemaValueException  # noqa: PLC0415

        try:
            self.compiled(payload)
        except JsonSchemaValueException as error:
            path = _steps(error.name or "")
            known = [step if step in self._names else "*" for step in path]
            rule = f"{pointer(known)}: {error.rule or 'schema'}"
            raise PayloadRefused(path, _without_path(error.message), rule) from None

    @cached_property
    def compiled(self) -> Callable[[Any], Any]:
        """The schema as a function; raise BadCatalog."""
        import fastjsonschema  # noqa: PLC0415

        try:
            compiled: Callable[[Any], Any] = fastjsonschema.compile(
                self.schema, use_default=False, handlers=_NO_NETWORK
            )
        except Exception as error:  # noqa: BLE001 - it trips over a wrong schema in many ways
            raise BadCatalog(f"{self.place}: schema: {error}") from None
        return compiled

    @cached_property
    def _names(self) -> frozenset[str]:
        """The names of members that may be logged: those in the schema."""
        return frozenset(_named(self.schema))


def _named(schema: Any) -> Iterator[str]:
    """Yield the names of members that a schema has properties for, or requires."""
    if isinstance(schema, dict):
        for keyword, value in schema.items():
            if keyword in ("properties", "required") and isinstance(value, dict | list):
                yield from (name for name in value if isinstance(name, str))
            yield from _named(value)
    elif isinstance(schema, list):
        for part in schema:
            yield from _named(part)


def _steps(name: str) -> list[str | int]:
    """Split fastjsonschema's "data.items[0].sku" into its steps, the first left out."""
    steps = re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", name)
    return [key or int(index) for key, index in steps]


def _without_path(message: str) -> str:
    """Drop the "data.order_id" with which fastjsonschema opens its sentences."""
    return re.sub(r"^data\S*\s+", "", message)
