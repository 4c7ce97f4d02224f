"""Which package may import which: one row each, and no cycle between use cases."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dovecote.channels import NAMES

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "layers" / "dovecote"

USE_CASES = {"submit", "dispatch", "feedback", "people", "operations"}

# From each package to those that it may import from, besides itself.
MAY_IMPORT = {
    "core": set(),
    "catalog": {"core"},
    "channels": {"core", "catalog"},
    "submit": {"core", "catalog", "channels", "dispatch"},
    "dispatch": {"core", "catalog", "channels"},
    "feedback": {"core", "channels"},
    "people": {"core", "channels"},
    "operations": {"core", "channels"},
    "store": {"core", "catalog", "channels", "dispatch", "people", "operations"},
    "aws": {"core", "catalog", "channels", *USE_CASES},
    "wiring": {"core", "catalog", "channels", "store", "aws", *USE_CASES},
    "functions": {"core", "submit", "aws", "wiring"},
}

# Modules that still name a channel, each for the reason in the comment.
NAMING_CHANNELS = {
    # a member or parameter of the API, and a column, for a person's address: not the channel
    "dovecote.operations.notifications",
    "dovecote.people.erasure",
    "dovecote.people.suppressions",
    "dovecote.store.operations.notifications",
    "dovecote.store.people.suppressions",
    # both channels share it, and it reads the identities of email
    "dovecote.channels.aws_errors",
}

# The packages that may import each library that talks to the outside.
BORDERS = {
    "jinja2": ("dovecote.catalog",),
    "psycopg": ("dovecote.store", "dovecote.wiring"),
    "boto3": ("dovecote.wiring",),
    "botocore": ("dovecote.channels", "dovecote.wiring"),
    "aws_lambda_powertools": ("dovecote.wiring",),
    "opentelemetry": ("dovecote.aws.otlp", "dovecote.aws.telemetry", "dovecote.wiring"),
}


def name_of(path: Path) -> str:
    base = PACKAGE if path.is_relative_to(PACKAGE) else ROOT
    name = ".".join(path.relative_to(base).with_suffix("").parts)
    return name.removesuffix(".__init__")


MODULES = {
    name_of(path): ast.parse(path.read_text("utf-8"))
    for path in sorted(
        [*(PACKAGE / "dovecote").rglob("*.py"), *(ROOT / "functions").glob("*/app.py")]
    )
}


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the modules that a module imports anywhere in it, by their full names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            module = node.module or ""
            nested = [f"{module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else module for name in nested)


def package(module: str) -> str:
    """Return the package of a module: the folder below dovecote, or functions."""
    parts = module.split(".")
    return parts[1] if parts[0] == "dovecote" and len(parts) > 1 else parts[0]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_its_package_may(module: str) -> None:
    own = {package(name) for name in imported(MODULES[module]) if name in MODULES}
    assert own - {package(module)} <= MAY_IMPORT.get(package(module), set())


def test_each_package_has_a_row() -> None:
    assert {package(module) for module in MODULES} - {"dovecote"} == set(MAY_IMPORT)


@pytest.mark.parametrize("module", MODULES)
def test_only_the_folder_of_a_channel_names_it(module: str) -> None:
    if module not in NAMING_CHANNELS:
        assert not sorted(channels_named(module))


def test_each_module_that_may_name_a_channel_does() -> None:
    assert {module for module in NAMING_CHANNELS if any(channels_named(module))} == NAMING_CHANNELS


def channels_named(module: str) -> Iterator[str]:
    """Yield what a module outside a channel's folder has of its name: imports, and text in code."""
    own = {name for name in NAMES if f"{module}.".startswith(f"dovecote.channels.{name}.")}
    if module == "dovecote.channels":
        own = set(NAMES)
    for name in sorted(set(NAMES) - own):
        folder = f"dovecote.channels.{name}"
        yield from (one for one in imported(MODULES[module]) if f"{one}.".startswith(f"{folder}."))
        yield from (text for text in texts(MODULES[module]) if re.match(rf"{name}(/|_|\Z)", text))


def texts(tree: ast.AST) -> Iterator[str]:
    """Yield the texts in code, also those of attributes and keywords."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.keyword | ast.arg) and node.arg is not None:
            yield node.arg


def test_the_cloudformation_responder_imports_nothing_that_could_fail() -> None:
    names = {name.partition(".")[0] for name in imported(MODULES["dovecote.aws.cloudformation"])}
    assert names <= sys.stdlib_module_names


@pytest.mark.parametrize("module", MODULES)
def test_only_the_border_imports_a_library_that_talks_to_the_outside(module: str) -> None:
    libraries = {name.partition(".")[0] for name in imported(MODULES[module])} & BORDERS.keys()
    assert not [name for name in libraries if not module.startswith(BORDERS[name])]


@pytest.mark.parametrize("module", MODULES)
def test_only_wiring_reads_the_environment_and_not_at_import(module: str) -> None:
    tree = MODULES[module]
    inner = {id(part) for node in _functions_and_main(tree, module) for part in ast.walk(node)}
    assert not [node.lineno for node in _environment(tree) if id(node) not in inner]


def _functions_and_main(tree: ast.Module, module: str) -> Iterator[ast.AST]:
    """Yield the parts of a module that may read the environment."""
    for node in tree.body:
        if package(module) == "wiring" and isinstance(node, ast.FunctionDef):
            yield node
        if isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'":
            yield node


def _environment(tree: ast.AST) -> Iterator[ast.Attribute]:
    """Yield each use of os.environ or os.getenv."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.getenv"}:
            yield node
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            assert not {"environ", "getenv"} & {alias.name for alias in node.names}
