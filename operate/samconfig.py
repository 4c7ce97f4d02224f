"""samconfig.toml: the settings of `sam deploy` for one environment.

python -m operate.samconfig ENV NAME DEFAULT prints the value of a parameter.
"""

import re
import shlex
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operate import ROOT, OperatorError
from operate.terminal import printable

_STACK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")
_LONG_FORM = re.compile(r"ParameterKey=([^,]+),ParameterValue=(.*)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Section:
    """One environment: where its stack is, and what its parameters are given."""

    environment: str
    stack_name: str
    region: str | None  # None: that of AWS_DEFAULT_REGION, or of the profile
    profile: str | None
    parameters: Mapping[str, str]


def read(path: Path, environment: str) -> Section:
    """Read the tables of an environment; raise OperatorError."""
    values = _values(_document(path), path, environment)
    stack_name = _stack_name(values, path, environment)
    return Section(
        environment=environment,
        stack_name=stack_name,
        region=values.get("region"),
        profile=values.get("profile"),
        parameters=_parameters(values.get("parameter_overrides"), path),
    )


def _document(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise OperatorError(
            f"{path.name} is missing", f"git checkout {path.name}, or write it"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OperatorError(f"{path.name} cannot be read: {error}", "mend that line") from None


def _values(document: Mapping[str, Any], path: Path, environment: str) -> Mapping[str, Any]:
    """Return what sam deploy takes: its own table over the global one."""
    section = document.get(environment)
    if not isinstance(section, dict):
        others = [name for name, value in document.items() if isinstance(value, dict)]
        raise OperatorError(
            f"{path.name} has no section [{environment}.…]",
            f"name one that it has ({', '.join(others) or 'none'}), or write"
            f" [{environment}.deploy.parameters] with stack_name and parameter_overrides",
        )
    tables: list[dict[str, Any]] = [
        section.get(command, {}).get("parameters", {}) for command in ("global", "deploy")
    ]
    return tables[0] | tables[1]


def _stack_name(values: Mapping[str, Any], path: Path, environment: str) -> str:
    name = values.get("stack_name")
    if not isinstance(name, str) or not name:
        raise OperatorError(
            f"{path.name} names no stack_name for {environment}",
            f'write stack_name = "…" below [{environment}.global.parameters]',
        )
    if not _STACK_NAME.fullmatch(name):
        raise OperatorError(
            f"{path.name}: stack_name {name!r} is not the name of a stack",
            "begin with a letter and go on with letters, digits and hyphens",
        )
    return name


def _parameters(overrides: Any, path: Path) -> dict[str, str]:
    """Return the parameters of what sam takes: a string, a list of strings, or a table."""
    if isinstance(overrides, dict):
        return {name: _joined(value) for name, value in overrides.items()}
    given = [overrides] if isinstance(overrides, str) else overrides or []
    return {name: value for text in given for name, value in _pairs(str(text), path)}


def _joined(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _pairs(text: str, path: Path) -> Iterator[tuple[str, str]]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise OperatorError(
            f"{path.name}: parameter_overrides: {error}", f"close the quote in {text!r}"
        ) from None
    for word in words:
        long = _LONG_FORM.fullmatch(word)
        name, equals, value = (*long.groups()[:1], "=", long[2]) if long else word.partition("=")
        if not equals:
            # sam drops it in silence, and what stood before the blank is all of the value.
            raise OperatorError(
                f"{path.name}: parameter_overrides: {word!r} has no name",
                'quote a value with blanks: EmailFrom=\\"Shop <shop@example.com>\\"',
            )
        yield name, value


def main(environment: str, name: str, default: str) -> str:
    """Return what a parameter is given in an environment, or the default."""
    return read(ROOT / "samconfig.toml", environment).parameters.get(name, default)


if __name__ == "__main__":
    try:
        print(main(*sys.argv[1:]))
    except OperatorError as error:
        sys.exit(printable(f"{error}: {error.remedy}"))
