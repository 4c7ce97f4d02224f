"""A payload under the data of many recipients: the result is that of the merged document."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovecote.catalog.errors import PayloadRefused
from dovecote.catalog.schemas import Check
from dovecote.submit.shared_payload import SharedPayload, member_rules

NAMES = st.sampled_from(["a", "b", "c", "ab", "x.y", "é", "", "1", "properties"])
NUMBERS = st.one_of(st.integers(-3, 3), st.sampled_from([0.5, 10**400, 1e300]))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text("ab", max_size=3)),
    lambda values: st.one_of(
        st.lists(values, max_size=2), st.dictionaries(NAMES, values, max_size=2)
    ),
    max_leaves=4,
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=4)
OF_VALUES = st.sampled_from(
    [
        {},
        True,
        False,
        {"type": "string"},
        {"type": ["integer", "null"]},
        {"type": "array", "items": {"type": "integer"}, "uniqueItems": True},
        {"required": ["a"], "additionalProperties": False, "properties": {"a": {}}},
        {"minimum": 1},
        {"multipleOf": 0.01},
        {"const": 1},
        {"enum": ["a", 1, None]},
        {"pattern": "^a"},
        {"minLength": 2},
        {"not": {"type": "string"}},
        {"anyOf": [{"type": "string"}, {"minimum": 2}]},
        {"$ref": "#/definitions/number"},
        {"$ref": "#/definitions/tree"},
        {"$ref": "#"},
        {"$ref": "#/properties/a"},
    ]
)  # fmt: skip
RULES = {
    "properties": st.dictionaries(NAMES, OF_VALUES, max_size=3),
    "patternProperties": st.dictionaries(
        st.sampled_from(["^a", "b$", ".", "^[^a]"]), OF_VALUES, max_size=2
    ),
    "additionalProperties": OF_VALUES,
    "propertyNames": st.sampled_from([{"maxLength": 1}, {"pattern": "^a"}, {"enum": ["a", "b"]}]),
    "required": st.lists(NAMES, max_size=2, unique=True),
    "minProperties": st.integers(0, 4),
    "maxProperties": st.integers(0, 4),
    "dependencies": st.sampled_from([{"a": ["b"]}, {"a": {"required": ["c"]}}]),
    "dependentRequired": st.just({"a": ["b"]}),
    "if": st.sampled_from([{"required": ["a"]}, {"properties": {"a": {"const": 1}}}]),
    "then": st.sampled_from([{"required": ["b"]}, {"maxProperties": 2}]),
    "else": st.sampled_from([{"required": ["c"]}, False]),
    "allOf": st.just([{"required": ["a"]}, {"minProperties": 2}]),
    "anyOf": st.just([{"required": ["a"]}, {"required": ["b"]}]),
    "oneOf": st.just([{"required": ["a"]}, {"required": ["b"]}]),
    "not": st.sampled_from([{"required": ["a", "b"]}, {"minProperties": 3}]),
    "const": st.just({"a": 1}),
    "enum": st.just([{"a": 1}, {"b": 2}]),
    "$ref": st.just("#/definitions/whole"),
    "$id": st.just("https://example.com/schema"),
}
DEFINITIONS = {
    "number": {"type": "number"},
    "tree": {"type": "object", "additionalProperties": {"$ref": "#/definitions/tree"}},
    "whole": {"required": ["a"]},
}
USUAL = [
    *("properties", "patternProperties", "additionalProperties", "propertyNames"),
    *("required", "minProperties", "maxProperties"),
]


@st.composite
def schemas(draw: st.DrawFn) -> dict[str, Any]:
    """Make a schema: mostly of rules that look at one member alone."""
    rare = draw(st.integers(0, 3)) == 0
    names = draw(st.lists(st.sampled_from(list(RULES) if rare else USUAL), max_size=4, unique=True))
    rules = {name: draw(RULES[name]) for name in names}
    # fastjsonschema writes into the schemas that it compiles.
    return deepcopy({"type": "object", "definitions": DEFINITIONS, **rules})


def takes_merged(check: Check, payload: dict[str, Any], data: dict[str, Any]) -> bool:
    try:
        check({**payload, **data})
    except Exception:  # noqa: BLE001 - a rule may trip over a value in any way
        return False
    return True


@settings(max_examples=300, deadline=None)
@given(schemas(), DOCUMENTS, st.lists(DOCUMENTS, min_size=1, max_size=3))
def test_a_payload_is_taken_with_data_if_and_only_if_the_merged_document_is(
    schema: dict[str, Any], payload: dict[str, Any], several: list[dict[str, Any]]
) -> None:
    check = Check("kinds.yaml: a.kind", schema)
    try:
        _ = check.compiled
    except Exception:  # noqa: BLE001 - some schemas contradict themselves
        return
    rules = member_rules(check)
    shared = SharedPayload(check, rules, payload)
    for data in several:
        taken = takes_merged(check, payload, data)
        if rules is None:
            assert not shared.takes_alone(data)
        else:
            assert shared.takes_alone(data) == taken
        try:
            shared.check(data)
        except Exception:  # noqa: BLE001 - as above
            assert not taken
        else:
            assert taken


@pytest.mark.parametrize(
    "rules",
    [
        {"allOf": [{"required": ["a"]}]},
        {"not": {"required": ["a"]}},
        {"if": {"required": ["a"]}, "then": {"required": ["b"]}},
        {"dependencies": {"a": ["b"]}},
        {"const": {"a": 1}},
        {"enum": [{}]},
        {"$ref": "#/definitions/whole"},
        {"properties": {"a": {"$ref": "#"}}},
        {"properties": {"a": {"items": [{"$ref": "#/properties/b"}]}, "b": {}}},
        {"$id": "https://example.com/schema"},
        {"properties": {"a": {"$id": "https://example.com/schema"}}},
        {"unheardOf": 1},
    ],
)
def test_rules_over_several_members_are_checked_on_the_whole_payload(rules: Any) -> None:
    assert member_rules(Check("a place", {"type": "object", **rules})) is None


def test_rules_of_one_member_are_checked_on_the_data_alone() -> None:
    schema = {
        "type": "object",
        "title": "An order",
        "required": ["id", "lines"],
        "properties": {"id": {"type": "string"}, "lines": {"items": {"type": "integer"}}},
        "additionalProperties": False,
        "minProperties": 1,
    }
    check = Check("a place", schema)
    shared = SharedPayload(check, member_rules(check), {"lines": [1, 2], "old": 1})
    assert not shared.takes_alone({"id": "1"})
    with pytest.raises(PayloadRefused, match="additionalProperties"):
        shared.check({"id": "1"})
    shared = SharedPayload(check, member_rules(check), {"lines": [1, "2"]})
    assert shared.takes_alone({"id": "1", "lines": [3]})
    assert not shared.takes_alone({"id": "1"})
    assert not shared.takes_alone({"lines": [3]})
