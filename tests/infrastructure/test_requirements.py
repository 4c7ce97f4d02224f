"""Every dependency is pinned with hashes, and no file says from where it comes."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = (
    "layers/dovecote/requirements.txt",
    "local/requirements.txt",
    "tests/requirements.txt",
    "tests/requirements-check.txt",
)
# What a layer has beside the first of those, where it is built with OTLP.
OTLP = "layers/dovecote/requirements-otlp.txt"
# Each of these has a venv of its own, and pins of its own.
ALONE = (
    "tests/requirements-sam.txt",
    "tests/requirements-emulator.txt",
    "tests/requirements-checkov.txt",
    "tests/requirements-schemathesis.txt",
    "bench/requirements.txt",
)
ALL_LOCKS = (*LOCKS, OTLP, *ALONE)

REGISTRY = re.compile(r"\b(pypi|pythonhosted|npmjs|debian|anaconda)\.(org|com)", re.IGNORECASE)
OPTION = re.compile(r"^\s*(-i|-f|--(extra-)?index-url|--find-links|--trusted-host)\b", re.M)


def pins(lock: str) -> dict[str, str]:
    """Return the text of each pin of a lock by its name and marker."""
    entries = re.split(r"^(?=[A-Za-z0-9])", (ROOT / lock).read_text(), flags=re.M)
    named = (re.match(r"(\S+)==(\S+)( ; [^\\]+)?", entry) for entry in entries)
    return {match[1] + (match[3] or ""): match.string for match in named if match}


def versions(lock: str) -> dict[str, str]:
    return {name: text.split("==")[1].split()[0] for name, text in pins(lock).items()}


def files() -> Iterator[Path]:
    """Yield the project's own files: nothing hidden but .ci, nothing that tools made."""
    for top in ROOT.iterdir():
        if top.is_file():
            yield top
        elif not top.name.startswith(".") or top.name == ".ci":
            yield from (path for path in top.rglob("*") if _is_own(path))


def _is_own(path: Path) -> bool:
    return path.is_file() and "node_modules" not in path.parts


@pytest.mark.parametrize("lock", ALL_LOCKS)
def test_every_pin_of_a_lock_has_hashes(lock: str) -> None:
    assert pins(lock)
    assert not [name for name, text in pins(lock).items() if "--hash=sha256:" not in text]


@pytest.mark.parametrize("lock", ALL_LOCKS)
def test_a_lock_holds_all_that_its_source_names(lock: str) -> None:
    wanted = re.findall(r"^([A-Za-z0-9_.-]+)", (ROOT / lock).with_suffix(".in").read_text(), re.M)
    locked = {name.split(" ")[0] for name in pins(lock)}
    assert {name.lower() for name in wanted} <= locked


def test_the_locks_of_one_venv_agree() -> None:
    agreed: dict[str, str] = {}
    for lock in LOCKS:
        for name, version in versions(lock).items():
            assert agreed.setdefault(name, version) == version, f"{name} in {lock}"


def test_the_locks_of_one_layer_agree() -> None:
    agreed = versions(LOCKS[0]) | versions(OTLP)
    assert agreed == versions(OTLP) | versions(LOCKS[0])


def test_no_function_has_requirements_of_its_own() -> None:
    assert not list((ROOT / "functions").rglob("requirements*"))


def test_no_file_names_a_registry() -> None:
    named = [
        str(path.relative_to(ROOT))
        for path in files()
        if path.suffix not in {".pyc", ".svg", ".png"} and REGISTRY.search(path.read_text("utf-8"))
    ]
    assert named == []


def test_no_requirements_name_an_index() -> None:
    named = [path.name for path in files() if path.match("requirements*") and _has_option(path)]
    assert named == []


def _has_option(path: Path) -> bool:
    return OPTION.search(path.read_text()) is not None
