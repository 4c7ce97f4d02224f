"""Check one payload for many recipients: all of it once, then what each one's data changes."""

from collections.abc import Callable, Mapping
from functools import cache, cached_property
from typing import Any

from msgspec import Struct

from dovecote.catalog.kinds import Check
from dovecote.core import strict_json

_OF_ONE_MEMBER = ("properties", "patternProperties", "additionalProperties", "propertyNames")
"""Keywords that look at each member of an object alone."""

_OF_NAMES = ("required", "minProperties", "maxProperties")
_WITHOUT_RULES = frozenset(
    {"$schema", "$comment", "title", "description", "default", "examples", "definitions", "type"}
)


class MemberRules(Struct, frozen=True, kw_only=True):
    """The rules of a schema, where each looks at one member alone or at names and their number."""

    takes: Callable[[Mapping[str, Any]], bool]
    required: frozenset[str]
    least: float
    most: float


@cache
def member_rules(check: Check) -> MemberRules | None:
    """Return the rules of a schema, or None where a rule may look at several members at once."""
    schema = check.schema
    known = _WITHOUT_RULES.union(_OF_ONE_MEMBER, _OF_NAMES)
    if not schema.keys() <= known or schema.get("type") != "object" or _refers_beyond(schema):
        return None
    rules = {name: schema[name] for name in schema if name not in _OF_NAMES}
    alone = Check(check.place, rules)
    return MemberRules(
        takes=lambda members: _takes(alone, members),
        required=frozenset(schema.get("required", ())),
        least=schema.get("minProperties", 0),
        most=schema.get("maxProperties", float("inf")),
    )


class SharedPayload:
    """The payload of a notification, held against its kind's schema for each recipient.

    The result is that of a check of the whole payload with the recipient's data merged over it.
    """

    def __init__(self, check: Check, rules: MemberRules | None, payload: Mapping[str, Any]) -> None:
        self._check = check
        self._rules = rules
        self._payload: dict[str, Any] = strict_json.plain(payload)

    def takes_alone(self, data: Mapping[str, Any]) -> bool:
        """Return whether data is known to be right without a look at the whole payload."""
        rules = self._rules
        if rules is None:
            return False
        size = len(self._payload) + sum(name not in self._payload for name in data)
        return (
            rules.least <= size <= rules.most
            and all(name in data or name in self._payload for name in rules.required)
            and self._refused <= data.keys()
            and rules.takes(strict_json.plain(data))
        )

    def check(self, data: Mapping[str, Any]) -> None:
        """Check the whole payload with data merged over it; raise PayloadRefused."""
        self._check.check({**self._payload, **strict_json.plain(data)})

    @cached_property
    def _refused(self) -> frozenset[str]:
        """The members of the payload that a recipient has to replace."""
        rules = self._rules
        if rules is None or rules.takes(self._payload):
            return frozenset()
        members = self._payload.items()
        return frozenset(name for name, value in members if not rules.takes({name: value}))


def _takes(check: Check, members: Mapping[str, Any]) -> bool:
    try:
        check.check(members)
    except Exception:  # noqa: BLE001 - the check of the whole payload finds the words
        return False
    return True


def _refers_beyond(value: Any) -> bool:
    """Return whether a schema may refer to its own root, or has parts with ids."""
    if isinstance(value, list):
        return any(map(_refers_beyond, value))
    if not isinstance(value, dict):
        return False
    reference = value.get("$ref", "#/definitions/")
    if not (isinstance(reference, str) and reference.startswith("#/definitions/")):
        return True
    if any(isinstance(value.get(name), str) for name in ("$id", "id")):
        return True
    return any(map(_refers_beyond, value.values()))
