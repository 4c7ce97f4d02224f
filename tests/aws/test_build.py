"""`sam build` by two Pythons, and the handlers in what it built, alone, on Lambda's Python."""

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import build
from operate import ROOT
from tests.artefacts import contents, uncompiled, without_sources

pytestmark = pytest.mark.timeout(300)

FUNCTIONS = ("Api", "Dispatch", "Feedback", "Provision", "Purge", "Submit")

# With nothing else to import from: no site-packages, no environment, no other directory.
ALONE = """
import importlib.metadata as metadata, pathlib, sys
function, layer = map(pathlib.Path, sys.argv[1:])
sys.path[:0] = [str(function), str(layer)]
import app, boto3, jinja2, msgspec, psycopg, yaml
assert callable(app.handler)
assert psycopg.pq.__impl__ == "binary"
for service in ("sesv2", "sns", "lambda"):
    boto3.client(service, "us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
from opentelemetry import propagate
assert "traceparent" in propagate.get_global_textmap().fields
assert metadata.version("boto3") == boto3.__version__
places = (function, layer, pathlib.Path(sys.base_prefix))
files = [pathlib.Path(module.__file__) for module in list(sys.modules.values())
         if getattr(module, "__file__", None)]
strangers = [file for file in files if not any(map(file.is_relative_to, places))]
assert not strangers, strangers
assert not [file for file in files if "site-packages" in file.parts]
"""


@pytest.fixture(scope="module")
def lambdas() -> str:
    """A Python of Lambda's version, on Lambda's machine."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip("the layer that is built here runs on Linux on x86_64")
    found = build.find_python()
    if found is None:
        pytest.fail("what is built is tried on a Python 3.13, and none is here: pyenv install 3.13")
    return found


@pytest.fixture(scope="module")
def sam_build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Run sam build with the python3 of a directory first on PATH."""
    subprocess.run(["make", ".venv-sam/.sam"], cwd=ROOT, check=True)  # noqa: S607

    def built(python: Path) -> Path:
        directory = tmp_path_factory.mktemp("sam") / "build"
        path = {"PATH": f"{python}:{os.environ['PATH']}", "SAM_CLI_TELEMETRY": "0"}
        ran = subprocess.run(
            [ROOT / ".venv-sam/bin/sam", "build", "--no-cached", "--build-dir", directory],
            cwd=ROOT,
            env={**os.environ, **path, "ENV": "prod", "ARCHITECTURE": "x86_64"},
            capture_output=True,
            check=False,
            text=True,
        )
        assert ran.returncode == 0, ran.stderr
        return directory

    return built


@pytest.fixture(scope="module")
def stock(sam_build: Callable[[Path], Path], lambdas: str) -> Path:
    """What make build makes, with the python3 that the venvs were made of."""
    return sam_build(ROOT / ".venv-sam" / "bin")


@pytest.fixture(scope="module")
def newest(
    sam_build: Callable[[Path], Path], lambdas: str, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """What it makes where python3 is a 3.13."""
    venv = tmp_path_factory.mktemp("python")
    subprocess.run([lambdas, "-m", "venv", venv], check=True)
    return sam_build(venv / "bin")


def test_what_is_built_does_not_depend_on_the_python_that_builds(stock: Path, newest: Path) -> None:
    one, other = contents(stock), contents(newest)
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []


def test_the_layer_is_compiled_and_small(stock: Path) -> None:
    layer = stock / "DovecoteLayer"
    assert [path.name for path in layer.iterdir()] == ["python"]
    assert uncompiled(layer / "python") == []
    assert build.weigh(layer) < build.LIMIT


def test_a_function_is_its_handler_and_nothing_else(stock: Path) -> None:
    for name in FUNCTIONS:
        assert [path.name for path in (stock / f"{name}Function").iterdir()] == ["app.py"]


@pytest.fixture(scope="module")
def sourceless(stock: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layer with no source that could be loaded in the place of what is compiled."""
    return without_sources(
        stock / "DovecoteLayer/python", tmp_path_factory.mktemp("opt") / "python"
    )


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_handler_is_imported_from_what_was_built_alone_and_compiles_nothing(
    lambdas: str, stock: Path, sourceless: Path, name: str
) -> None:
    before = contents(sourceless)
    alone(lambdas, stock / f"{name}Function", sourceless)
    assert contents(sourceless) == before


def alone(python: str, function: Path, layer: Path) -> None:
    """Import a function's handler as Lambda does, with nothing in the environment."""
    command: list[Any] = [python, "-I", "-S", "-B", "-W", "error", "-c", ALONE, function, layer]
    ran = subprocess.run(command, env={}, capture_output=True, check=False, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
