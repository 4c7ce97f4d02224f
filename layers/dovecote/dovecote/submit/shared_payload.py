"""Check one payload for many recipients: once in full, then the changes of each one's data."""

from collections.abc import Callable, Mapping
from functools import cache, cached_property
from typing import Any

from msgspec import Struct

from dovecote.catalog.schemas import Check
from dovecote.core.notification import Submission
from dovecote.core.parsing import strict_json

_OF_ONE_MEMBER = ("properties", "patternProperties", "additionalProperties", "propertyNames")
"""Keywords that apply to each member of an object alone."""

_OF_NAMES = ("required", "minProperties", "maxProperties")
_WITHOUT_RULES = frozenset(
    {"$schema", "$comment", "title", "description", "default", "examples", "definitions", "type"}
)


class MemberRules(Struct, frozen=True, kw_only=True):
    """The rules of a schema whose rules each apply to one member, or to names and their number."""

    takes: Callable[[Mapping[str, Any]], bool]
    required: frozenset[str]
    least: float
    most: float


@cache
def member_rules(check: Check) -> MemberRules | None:
    """Return the rules of a schema, or None if a rule may apply to several members at once."""
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
    """The payload of a notification, checked against its kind's schema for each recipient.

    The result is that of a check of the whole payload with the recipient's data merged over it.
    """

    def __init__(self, check: Check, rules: MemberRules | None, payload: Mapping[str, Any]) -> None:
        self._check = check
        self._rules = rules
        self._payload: dict[str, Any] = strict_json.plain(payload)

    def takes_alone(self, data: Mapping[str, Any]) -> bool:
        """Return whether data is known to be valid without a check of the whole payload."""
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


class PayloadSize:
    """Bytes of a submission's payload as compact JSON in UTF-8."""

    def __init__(self, submission: Submission) -> None:
        self._payload = submission.payload
        self.total = len(submission.payload_text.encode())
        self._members: dict[str, int] = {}  # filled on demand

    def with_data(self, data: Mapping[str, Any]) -> int:
        """Return the bytes of the payload with data merged over it."""
        own = len(strict_json.text(data).encode()) - 1  # its members, each with a comma
        return self.total + own - sum(map(self.of_member, data)) - (not self._payload)

    def of_member(self, name: str) -> int:
        """Return the bytes of a member of the payload with its comma; 0 without that member."""
        if name in self._payload and name not in self._members:
            text = strict_json.text({name: self._payload[name]})
            self._members[name] = len(text.encode()) - 1
        return self._members.get(name, 0)


def _takes(check: Check, members: Mapping[str, Any]) -> bool:
    try:
        check.check(members)
    except Exception:  # noqa: BLE001 - the check of the whole payload gives the reason
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
