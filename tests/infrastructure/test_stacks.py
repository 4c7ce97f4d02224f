"""The templates: their sizes, and what they pass to each other."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from local.intrinsic import load
from tests.infrastructure.reading import references, resolver, resources
from tests.infrastructure.transform import ROOT, source
from tests.infrastructure.whole import NESTED, nested

MOST_LINES = 1_600
MOST_PARAMETERS = 45
TEMPLATES = sorted(["template.yaml", *NESTED.values()])


def test_every_template_is_used() -> None:
    found = {path.name for path in (ROOT / "stacks").iterdir()}
    assert found == {location.removeprefix("stacks/") for location in NESTED.values()}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_can_be_read_as_a_document(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    template = load(text)
    assert len(template["Parameters"]) <= MOST_PARAMETERS
    assert all(one["Description"] for one in template["Parameters"].values())


@pytest.mark.parametrize("name", sorted(NESTED))
def test_a_nested_stack_gets_its_parameters_and_uses_each(name: str) -> None:
    given = source()["Resources"][name]["Properties"]["Parameters"]
    assert given.keys() == nested(name)["Parameters"].keys()
    assert set(references(nested(name)["Resources"])) | _in_texts(nested(name)) >= given.keys()


def _in_texts(template: dict[str, Any]) -> set[str]:
    """Return what conditions, outputs and the variables of texts refer to."""
    parts = [template.get("Conditions", {}), template.get("Outputs", {})]
    return {*references(parts), *re.findall(r"\$\{(\w+)\}", str(template))}


@pytest.mark.parametrize("name", sorted(NESTED))
def test_a_nested_stack_names_nothing_after_itself(name: str) -> None:
    """IAM and code rely on names that begin with the name of the whole stack."""
    assert "AWS::StackName" not in str(nested(name))


NAMED = {
    "AWS::SQS::Queue": ("QueueName", r"arn:aws:sqs:[^:]*:\d+:([\w-]+)$"),
    "AWS::Lambda::Function": ("FunctionName", r"arn:aws:lambda:[^:]*:\d+:function:([\w-]+):live$"),
    "AWS::Logs::LogGroup": ("LogGroupName", r"arn:aws:logs:[^:]*:\d+:log-group:([\w/-]+):\*$"),
}
"""How resources are named, and how policies refer to them."""


@pytest.mark.parametrize("kind", sorted(NAMED))
def test_policies_and_alarms_name_resources_that_exist(kind: str) -> None:
    key, pattern = NAMED[kind]
    given = resolver(EmailIdentity="example.com", PushApplicationArns="arn:a:sns:b:1:app/GCM/c")
    existing = {given.value(one[key]) for one in resources(kind).values()}
    policies = ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::CloudWatch::Alarm")
    texts = list(_texts([given.value(resources(one)) for one in policies]))
    named = {match[1] for text in texts if (match := re.match(pattern, text))}
    dimensions = {
        one["Value"]
        for alarm in given.value(resources("AWS::CloudWatch::Alarm")).values()
        for one in alarm.get("Dimensions", [])
        if one["Name"] == key
    }
    assert named
    assert named | dimensions <= existing


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)
    elif isinstance(value, str):
        yield value
