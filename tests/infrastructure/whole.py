"""The stack with its nested stacks as one template, in which no parameter stands between them.

A resource of a nested stack keeps its name, which is unique among all templates of the project.
"""

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from local.intrinsic import load
from tests.infrastructure.transform import ROOT, source, transformed

Json = Any
NESTED: Mapping[str, str] = {
    name: resource["Properties"]["Location"]
    for name, resource in source()["Resources"].items()
    if resource["Type"] == "AWS::Serverless::Application"
}
"""The file of each nested stack, by the name of the stack."""


@cache
def nested(name: str) -> dict[str, Json]:
    """Return the template of a nested stack as it is written."""
    template: dict[str, Json] = load((ROOT / NESTED[name]).read_text("utf-8"))
    return template


@cache
def whole(**parameters: str) -> dict[str, Json]:
    """Return the transformed template with the resources of its nested stacks."""
    template = deepcopy(transformed(**parameters))
    outputs: dict[str, Json] = {}
    for name in NESTED:
        stack = template["Resources"].pop(name)
        _add(template, name, nested(name), stack)
        outputs |= _Names(name, nested(name), stack).outputs()
    return {**template, "Resources": _with_outputs(template["Resources"], outputs)}


def _add(template: dict[str, Json], name: str, part: dict[str, Json], stack: Json) -> None:
    """Add the conditions and the resources of a nested stack to the template of its parent."""
    names = _Names(name, part, stack)
    for condition, value in part.get("Conditions", {}).items():
        template["Conditions"][names.condition(condition)] = names.filled(value)
    for logical_id, resource in part["Resources"].items():
        assert logical_id not in template["Resources"], f"two templates have {logical_id}"
        added = names.filled({key: one for key, one in resource.items() if key != "Condition"})
        held = [stack["Condition"]] if "Condition" in stack else []
        held += [names.condition(resource["Condition"])] if "Condition" in resource else []
        if held:
            added["Condition"] = f"{name}/{logical_id}"
            both = {"Fn::And": [{"Condition": one} for one in held]}
            template["Conditions"][added["Condition"]] = both
        template["Resources"][logical_id] = added


@dataclass(frozen=True)
class _Names:
    """What the names of a nested stack mean in the template of its parent."""

    name: str
    part: dict[str, Json]
    stack: Json

    def condition(self, name: str) -> str:
        return f"{self.name}.{name}"

    def outputs(self) -> dict[str, Json]:
        return {
            f"{self.name}.Outputs.{output}": self.filled(one["Value"])
            for output, one in self.part.get("Outputs", {}).items()
        }

    def filled(self, value: Json) -> Json:
        """Return a value with the parent's values in the place of parameters."""
        match value:
            case {"Ref": str(name)} if name in self.part["Parameters"]:
                return self._given(name)
            case {"Fn::Sub": str(text)}:
                return self._text(text)
            case {"Condition": str(name)} if name in self.part.get("Conditions", {}):
                return {"Condition": self.condition(name)}
            case {"Fn::If": [str(name), *values]}:
                return {"Fn::If": [self.condition(name), *map(self.filled, values)]}
        if isinstance(value, list):
            return [self.filled(one) for one in value]
        is_mapping = isinstance(value, dict)
        return {key: self.filled(one) for key, one in value.items()} if is_mapping else value

    def _given(self, name: str) -> Json:
        given = self.stack["Properties"]["Parameters"][name]
        is_list = self.part["Parameters"][name]["Type"] == "CommaDelimitedList"
        return {"Fn::Split": [",", given]} if is_list else given

    def _text(self, text: str) -> Json:
        """Return a text whose parameters are names of the parent, or variables of the text."""
        variables: dict[str, Json] = {}

        def named(match: re.Match[str]) -> str:
            given = self._given(match[1]) if match[1] in self.part["Parameters"] else None
            if isinstance(given, dict) and "Ref" in given:
                return f"${{{given['Ref']}}}"
            if given is not None:
                variables[match[1]] = given
            return match[0]

        filled = re.sub(r"\$\{([^}!]+)\}", named, text)
        return {"Fn::Sub": [filled, variables] if variables else filled}


def _with_outputs(value: Json, outputs: Mapping[str, Json]) -> Json:
    """Return a value with the values of outputs in the place of references to them."""
    again = partial(_with_outputs, outputs=outputs)
    if isinstance(value, list):
        return [again(one) for one in value]
    match value:
        case {"Fn::GetAtt": [stack, str(output)]} if stack in NESTED:
            return again(outputs[f"{stack}.{output}"])
        case dict():
            return {key: again(one) for key, one in value.items()}
    return value
