"""CloudFormation's functions, as far as they say something on one machine."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from local import LocalError


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short tags, read as their long form."""


def _short_tag(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_tag)

# What AWS::NoValue becomes; a mapping or a list drops it.
NO_VALUE = object()


def load(text: str) -> Any:
    """Read YAML with CloudFormation's tags."""
    return yaml.load(text, _Loader)  # noqa: S506 - it is a SafeLoader


class Resolver:
    """Resolves values of one template.

    `references` holds what Ref returns by name: parameters, pseudo parameters and resources.
    `attributes` holds what Fn::GetAtt returns by "resource.attribute".
    """

    def __init__(
        self,
        *,
        references: Mapping[str, Any],
        attributes: Callable[[str, str], str],
        conditions: Mapping[str, Any],
        mappings: Mapping[str, Any],
    ) -> None:
        self._references = references
        self._attributes = attributes
        self._conditions = conditions
        self._mappings = mappings
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Condition": self.condition,
            "Fn::GetAtt": lambda pair: self._attributes(str(pair[0]), str(self.value(pair[1]))),
            "Fn::Sub": self._sub,
            "Fn::If": self._if,
            "Fn::Equals": lambda pair: self.value(pair[0]) == self.value(pair[1]),
            "Fn::Not": lambda one: not self.value(one[0]),
            "Fn::And": lambda several: all(self.value(one) for one in several),
            "Fn::Or": lambda several: any(self.value(one) for one in several),
            "Fn::Join": lambda pair: str(pair[0]).join(map(str, self.value(pair[1]))),
            "Fn::Split": lambda pair: self.value(pair[1]).split(pair[0]),
            "Fn::Select": lambda pair: self.value(pair[1])[int(self.value(pair[0]))],
            "Fn::FindInMap": self._find_in_map,
        }

    def value(self, value: Any) -> Any:
        """Resolve a value and all that is in it; raises LocalError."""
        if isinstance(value, list):
            return [one for one in map(self.value, value) if one is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name in self._functions:
                return self._functions[name](argument)
            if str(name).startswith("Fn::"):
                raise LocalError(f"{name} is not known to the local stack")
        resolved = {name: self.value(one) for name, one in value.items()}
        return {name: one for name, one in resolved.items() if one is not NO_VALUE}

    def condition(self, name: str) -> bool:
        """Tell whether a condition holds."""
        if name not in self._conditions:
            raise LocalError(f"condition {name} is not defined")
        return bool(self.value(self._conditions[name]))

    def _ref(self, name: str) -> Any:
        if name not in self._references:
            raise LocalError(f"Ref to {name}, which is no parameter and no resource")
        return self._references[name]

    def _if(self, argument: list[Any]) -> Any:
        name, then, otherwise = argument
        return self.value(then if self.condition(name) else otherwise)

    def _sub(self, argument: str | list[Any]) -> str:
        text, variables = (argument, {}) if isinstance(argument, str) else argument
        return re.sub(
            r"\$\{(!?)([^}]+)\}", lambda match: self._substitute(match, variables), str(text)
        )

    def _substitute(self, match: re.Match[str], variables: Mapping[str, Any]) -> str:
        literal, name = match.groups()
        if literal:
            return f"${{{name}}}"
        if name in variables:
            return str(self.value(variables[name]))
        if "." in name:
            return self._attributes(*name.split(".", 1))
        return str(self._ref(name))

    def _find_in_map(self, path: list[Any]) -> Any:
        found: Any = self._mappings
        for key in map(self.value, path):
            found = found[key]
        return self.value(found)


def given_parameters(declared: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of declared parameters; raises LocalError for an unknown or missing one."""
    if unknown := given.keys() - declared.keys():
        raise LocalError(f"the template has no parameter {min(unknown)}")
    values = {}
    for name, declaration in declared.items():
        if name not in given and "Default" not in declaration:
            raise LocalError(f"parameter {name} has no default: give it a value")
        value = text(given.get(name, declaration.get("Default")))
        is_list = str(declaration.get("Type", "String")).endswith(("List", ">"))
        values[name] = value.split(",") if is_list else value
    return values


def text(value: Any) -> str:
    """Write a scalar as CloudFormation does."""
    return str(value).lower() if isinstance(value, bool) else str(value)
