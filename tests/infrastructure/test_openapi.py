"""The description of the API is OpenAPI 3.1, and says what the template and the problems say."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from msgspec.structs import replace
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from dovecote import channels
from dovecote.aws import openapi
from dovecote.core import problems
from dovecote.core.problems import Problem
from local.template import read_template
from tests.infrastructure.transform import TEMPLATE
from tests.sending import SERVICES

DOCUMENT: dict[str, Any] = json.loads(bytes(openapi.document()))
SCHEMAS = {
    **DOCUMENT["components"]["schemas"],
    "Channel": {"type": "string", "enum": sorted({*channels.NAMES, *SERVICES})},
}
"""The schemas; examples may name a shipped channel that is not registered."""

OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method != "parameters"
}


def parts(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every part of the document with the way to it."""
    yield path, node
    members = node.items() if isinstance(node, dict) else ()
    for name, part in members:
        yield from parts(part, (*path, str(name)))
    for index, part in enumerate(node if isinstance(node, list) else ()):
        yield from parts(part, (*path, str(index)))


def resolved(node: Any) -> Any:
    """Follow a reference, if it is one."""
    while isinstance(node, dict) and "$ref" in node:
        found: Any = DOCUMENT
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        node = found
    return node


def validator(schema: Any) -> OAS31Validator:
    """Return what holds a value to a schema, and its formats, with the document's components."""
    return OAS31Validator(
        {**schema, "components": {**DOCUMENT["components"], "schemas": SCHEMAS}},
        format_checker=OAS31Validator.FORMAT_CHECKER,
    )


def told() -> dict[str, tuple[Any, Any]]:
    """Return each example beside the schema that it stands for, by where it is."""
    found = {}
    for path, part in parts(DOCUMENT):
        if isinstance(part, dict) and "schema" in part:
            if "example" in part:
                found["/".join(path)] = (part["schema"], part["example"])
            for name, example in part.get("examples", {}).items():
                found["/".join((*path, name))] = (part["schema"], resolved(example)["value"])
    return found


def test_the_document_is_openapi_3_1() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


def test_a_built_layer_tells_its_json_and_needs_no_yaml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = yaml.safe_load(openapi.SOURCE.read_text("utf-8"))
    (tmp_path / "openapi.json").write_text(json.dumps(source))
    monkeypatch.setattr(openapi, "COMPILED", tmp_path / "openapi.json")
    monkeypatch.setattr(openapi, "SOURCE", tmp_path / "none")
    assert json.loads(bytes(openapi.document.__wrapped__())) == DOCUMENT


@pytest.mark.parametrize("names", [("push",), ("email", "push"), ("email", "push", "sms")])
def test_the_channels_are_those_of_the_registry(
    names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "NAMES", names)
    folder = ModuleType("dovecote.channels.sms")
    sms = replace(channels.get(channels.NAMES[0]), name="sms", address_field="phone")
    monkeypatch.setattr(folder, "CHANNEL", sms, raising=False)
    monkeypatch.setitem(sys.modules, folder.__name__, folder)
    document = json.loads(bytes(openapi.document.__wrapped__()))
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []
    schemas = document["components"]["schemas"]
    assert schemas["Channel"] == {"type": "string", "enum": list(names)}
    fields = schemas["Recipient"]["properties"]
    assert fields.get("phone") == ({"type": ["string", "null"]} if "sms" in names else None)


def test_each_channel_that_is_sent_or_answered_is_one_of_the_registry() -> None:
    stray = [
        "/".join(path)
        for path, part in parts(DOCUMENT)
        if path[-2:] == ("properties", "channel") and "schemas/Channel" not in json.dumps(part)
    ]
    assert stray == []
    named = [part["schema"] for _, part in parts(DOCUMENT) if is_parameter(part, "channel")]
    assert named == [{"$ref": "#/components/schemas/Channel"}]


def is_parameter(part: Any, name: str) -> bool:
    return isinstance(part, dict) and part.get("name") == name and part.get("in") == "query"


def test_every_route_of_the_template_is_described() -> None:
    routes = {f"{route.method} {route.path}" for route in read_template(TEMPLATE).routes}
    assert routes
    assert routes == OPERATIONS.keys()


def test_every_component_is_used() -> None:
    used = {part for path, part in parts(DOCUMENT) if path and path[-1] == "$ref"}
    components = {
        f"#/components/{group}/{name}"
        for group, named in DOCUMENT["components"].items()
        if group != "securitySchemes"
        for name in named
    }
    assert components == used


EXAMPLES = told()


def test_every_body_that_is_sent_has_an_example() -> None:
    bodies = {
        key: operation["requestBody"]["content"]["application/json"]
        for key, operation in OPERATIONS.items()
        if "requestBody" in operation
    }
    assert bodies
    assert [key for key, body in bodies.items() if not body.keys() & {"example", "examples"}] == []


@pytest.mark.parametrize("where", EXAMPLES)
def test_an_example_is_what_its_schema_says(where: str) -> None:
    schema, example = EXAMPLES[where]
    assert [error.message for error in validator(schema).iter_errors(example)] == []


def test_an_object_takes_no_member_that_is_not_named() -> None:
    open_ones = {
        "/".join(path)
        for path, part in parts(DOCUMENT)
        if isinstance(part, dict)
        and "object" in part.get("type", ())
        and "additionalProperties" not in part
    }
    assert open_ones == OPEN


# A producer's own, what its kind's schema holds, and this document.
OPEN = {
    "components/schemas/Submission/properties/payload",
    "components/schemas/Recipient/properties/data",
    "paths//openapi.json/get/responses/200/content/application/json/schema",
}


PROBLEMS: list[type[Problem]] = [
    kind
    for kind in vars(problems).values()
    if isinstance(kind, type) and issubclass(kind, Problem) and kind is not Problem
]


@pytest.mark.parametrize("kind", PROBLEMS, ids=lambda kind: kind.__name__)
def test_every_kind_of_problem_is_described(kind: type[Problem]) -> None:
    schema = DOCUMENT["components"]["schemas"][kind.__name__]
    errors = [problems.Fault("/kind", "is none")]
    assert validator(schema).is_valid(kind("It is so.", errors).document())
    for other in PROBLEMS:
        document = other("It is so.", errors).document()
        assert validator(schema).is_valid(document) == (other.status == kind.status)


def test_a_problem_that_is_to_come_back_says_when() -> None:
    for key, operation in OPERATIONS.items():
        for status, response in operation["responses"].items():
            answer = resolved(response)
            if int(status) < 400:
                continue
            (media_type,) = answer["content"]
            assert media_type == problems.MEDIA_TYPE
            later = status == "503" or answer is DOCUMENT["components"]["responses"]["InProgress"]
            assert ("Retry-After" in answer.get("headers", {})) == later, f"{status} of {key}"


def test_every_parameter_of_a_path_is_described() -> None:
    for path, item in DOCUMENT["paths"].items():
        named = [resolved(parameter) for parameter in item.get("parameters", ())]
        assert [one["name"] for one in named] == re.findall(r"{(\w+)}", path)
        assert all(one["in"] == "path" for one in named)
