"""Keep the arrows of the design's house: which module may import which.

functions -> wiring -> use cases -> words; wiring -> store, channels; store, channels -> words.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "layers" / "dovecote"

# What use cases, store and channels all speak in: values, rules and interfaces, no I/O.
WORDS = {
    "addresses", "attempts", "bodies", "catalog", "congestion", "events", "gate", "lanes", "model",
    "overview", "ports", "problems", "publication", "redaction", "scale", "strict_json",
    "strict_yaml", "traceparent", "transitions",
}  # fmt: skip
# Modules that stand around the use cases; all others at the top of the package are use cases.
EDGES = {
    "wiring",
    "gateway",
    "cloudformation",
    "check",
    "compile",
    "invocation",
    "otlp",
    "provision",
    "settings",
    "telemetry",
}

# The few modules that may import what talks to the world, by the name of what they import.
WORLDLY = {
    "psycopg": ("dovecote.store", "dovecote.wiring"),
    "boto3": ("dovecote.wiring",),
    "botocore": ("dovecote.channels", "dovecote.invocation", "dovecote.wiring"),
    "aws_lambda_powertools": ("dovecote.wiring", "dovecote.gateway", "functions"),
    "opentelemetry": ("dovecote.otlp", "dovecote.telemetry", "dovecote.wiring"),
}


def name_of(path: Path) -> str:
    base = PACKAGE if path.is_relative_to(PACKAGE) else ROOT
    return ".".join(path.relative_to(base).with_suffix("").parts)


MODULES = {
    name_of(path): ast.parse(path.read_text("utf-8"))
    for path in sorted(
        [*(PACKAGE / "dovecote").rglob("*.py"), *(ROOT / "functions").glob("*/app.py")]
    )
    if path.name != "__init__.py"
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


def room(module: str) -> str:
    """Return where in the house a module stands."""
    parts = module.split(".")
    if parts[0] != "dovecote":
        return "functions"
    if len(parts) > 2:
        return parts[1]
    if parts[1] in WORDS:
        return "words"
    return parts[1] if parts[1] in EDGES else "use cases"


# From each room to those that it may import from.
ARROWS = {
    "functions": {"wiring", "gateway", "cloudformation", "telemetry", "use cases", "words"},
    "wiring": {
        "use cases",
        "words",
        "store",
        "channels",
        "invocation",
        "otlp",
        "settings",
        "telemetry",
    },
    "gateway": {"use cases", "words"},
    "invocation": {"words"},
    "cloudformation": set(),
    "check": {"words", "channels"},
    "compile": {"check", "words"},
    "provision": {"wiring", "settings", "store", "words"},
    "use cases": {"use cases", "words"},
    "store": {"store", "words"},
    "channels": {"channels", "words"},
    "words": {"words"},
    "otlp": set(),
    "settings": set(),
    "telemetry": {"words"},
}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_along_the_arrows(module: str) -> None:
    own = {name for name in imported(MODULES[module]) if name in MODULES}
    against = {name for name in own if room(name) not in ARROWS[room(module)]}
    assert not against


def test_the_model_imports_nothing_of_the_house() -> None:
    assert not [name for name in imported(MODULES["dovecote.model"]) if name in MODULES]


def test_what_answers_cloudformation_imports_nothing_that_could_fail() -> None:
    names = {name.partition(".")[0] for name in imported(MODULES["dovecote.cloudformation"])}
    assert names <= sys.stdlib_module_names


def test_transitions_import_the_model_alone() -> None:
    own = {name for name in imported(MODULES["dovecote.transitions"]) if name in MODULES}
    assert own == {"dovecote.model"}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_that_talks_to_the_world_stands_at_its_border(module: str) -> None:
    worldly = {name.partition(".")[0] for name in imported(MODULES[module])} & WORLDLY.keys()
    assert not [name for name in worldly if not module.startswith(WORLDLY[name])]


@pytest.mark.parametrize("module", MODULES)
def test_only_the_wiring_reads_the_environment_and_not_at_import(module: str) -> None:
    tree = MODULES[module]
    inner = {id(part) for node in _functions_and_main(tree, module) for part in ast.walk(node)}
    assert not [node.lineno for node in _environment(tree) if id(node) not in inner]


def _functions_and_main(tree: ast.Module, module: str) -> Iterator[ast.AST]:
    """Yield the parts of a module that may read the environment."""
    for node in tree.body:
        if module == "dovecote.wiring" and isinstance(node, ast.FunctionDef):
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
