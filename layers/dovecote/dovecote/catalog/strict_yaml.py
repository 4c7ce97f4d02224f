"""YAML that any two readers read alike, or BadYaml: no objects of Python's, no key twice."""

from collections.abc import Sequence
from typing import Any

import yaml


class BadYaml(Exception):
    """A text that is not YAML, or not to be relied on; the message names the line."""


class _Loader(yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader):  # type: ignore[misc]
    """Refuse a key that stands twice: the first would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping whose keys are all different."""
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key must be a word", key.start_mark
                )
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands twice", key.start_mark
                )
            seen.add(key.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def read(text: str) -> Any:
    """Return what a text says; raise BadYaml."""
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise BadYaml(_first_line(error)) from None


def line_of(text: str, path: Sequence[str | int]) -> int:
    """Return the line of a value, by the keys and indexes that lead to it.

    Where the text gets a key by a merge (`<<`), it is the line of the value around it.
    """
    line, node = 0, yaml.compose(text, _Loader)
    for step in path:
        node = None if node is None else _inner(node, step)
        line = line if node is None else node.start_mark.line
    return line + 1


def _inner(node: yaml.Node, step: str | int) -> yaml.Node | None:
    """Return the value at a key or an index of a node, or None."""
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    return next((value for index, value in enumerate(node.value) if index == step), None)


def _first_line(error: yaml.YAMLError) -> str:
    """Say a YAML error in one line, with the line that it is about."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "not YAML"
    return f"line {mark.line + 1}: {problem}" if mark else str(problem)
