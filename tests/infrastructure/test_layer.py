"""The layer's build: what it refuses, and what lies in the layer for either machine."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import build
from build import BuildError
from dovecote.aws import openapi
from tests.artefacts import compiled, modules, uncompiled

LAYER = Path(__file__).parents[2] / "layers" / "dovecote"

# What make and its recipe start, apart from python3.
TOOLS = ("chmod", "make", "sh")


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PATH with the tests' python3, and with neither a python3.13 nor pyenv."""
    directory = tmp_path_factory.mktemp("tools")
    for name in TOOLS:
        (directory / name).symlink_to(shutil.which(name) or name)
    python = directory / "python3"
    # A link would lead out of the venv, whose Python has pip.
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return directory


def made(
    directory: Path, path: str, *variables: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the target that sam runs, in a copy of the folder, as sam does."""
    shutil.copytree(LAYER, directory / "source")
    outer = re.compile(r"MAKE|MFLAGS|ENV$|ARCHITECTURE$|OTLP$|PYENV")
    inherited = {name: value for name, value in os.environ.items() if not outer.match(name)}
    return subprocess.run(
        ["make", "build-DovecoteLayer", f"ARTIFACTS_DIR={directory}/artefacts", *variables],  # noqa: S607
        cwd=directory / "source",
        env={**inherited, "PATH": path, **environment},
        capture_output=True,
        check=False,
        text=True,
    )


# What is refused


def test_an_architecture_that_lambda_does_not_have_is_refused(tmp_path: Path, tools: Path) -> None:
    refused = made(tmp_path, str(tools), "ARCHITECTURE=riscv64")
    assert refused.returncode != 0
    assert "invalid choice: 'riscv64' (choose from" in refused.stderr


def test_a_layer_whose_packages_can_not_be_installed_is_refused(
    tmp_path: Path, tools: Path
) -> None:
    nothing = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull}
    refused = made(tmp_path, str(tools), **nothing)
    assert refused.returncode != 0
    assert "could not install requirements.txt" in refused.stderr


def test_production_is_refused_a_layer_that_is_not_compiled(tmp_path: Path, tools: Path) -> None:
    unless_this_is_one()
    refused = made(tmp_path, str(tools), "ENV=prod")
    assert refused.returncode != 0
    assert "no Python 3.13 was found" in refused.stderr
    assert not (tmp_path / "artefacts").exists()


def unless_this_is_one() -> None:
    if build.run([sys.executable, "-c", build.PROBE]) == build.MAGIC:
        pytest.skip("the tests run on Python 3.13, so there is one")


def test_a_layer_of_dovecote_alone_is_refused(tmp_path: Path) -> None:
    shutil.copytree(LAYER / "dovecote", tmp_path / "dovecote")
    with pytest.raises(BuildError, match=r"boto3-1-.*urllib3-2-"):
        build.require_packages(tmp_path)


def test_a_pin_under_an_unknown_marker_is_refused() -> None:
    lock = "tomli==2.0.1 ; python_full_version < '3.12' \\\n    --hash=sha256:0\n"
    with pytest.raises(BuildError, match=r"tomli is pinned where python_full_version <"):
        list(build.pinned(lock))


def test_a_pin_for_another_system_is_not_asked_for() -> None:
    assert list(build.pinned("tzdata==2026.6 ; sys_platform == 'win32' \\\n")) == []


@pytest.mark.parametrize("name", ["sns", "partitions.json"])
def test_data_of_botocore_that_moved_is_missed(tmp_path: Path, name: str) -> None:
    data_of_botocore(tmp_path, without=name)
    with pytest.raises(BuildError, match=f"botocore/data has no {name}"):
        build.cut_data(tmp_path)


def data_of_botocore(data: Path, *, without: str) -> None:
    """Write what the build looks for, but one part of it."""
    models = [
        f"{service}/2026-01-01/{model}" for service in build.SERVICES for model in build.MODELS
    ]
    for name in (*models, *build.SHARED):
        if not name.startswith(without):
            (data / name).parent.mkdir(parents=True, exist_ok=True)
            (data / name).touch()


def test_a_library_of_another_machine_is_refused(tmp_path: Path) -> None:
    (tmp_path / "libpq.so.5").write_bytes(b"\x7fELF".ljust(18, b"\0") + bytes([62, 0]))
    with pytest.raises(BuildError, match=r"libpq\.so\.5 is not of aarch64"):
        build.require_machine(tmp_path, "aarch64", 183)


def test_psycopg_without_its_compiled_modules_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="psycopg_binary/pq is not compiled"):
        build.require_machine(tmp_path, "aarch64", 183)


def test_a_layer_over_its_limit_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(build.LIMIT + 1)
    with pytest.raises(BuildError, match=r"60,000,001 bytes unzipped"):
        build.weigh(tmp_path)


def test_a_description_that_json_says_otherwise_is_refused(tmp_path: Path) -> None:
    (tmp_path / "yaml").symlink_to(Path(yaml.__file__).parent)
    folder = tmp_path / "dovecote" / "aws"
    folder.mkdir(parents=True)
    (folder / "openapi.yaml").write_text("example: 2026-11-24T09:00:00Z\n")
    with pytest.raises(BuildError, match=r"openapi\.yaml can't be written as JSON"):
        build.describe(tmp_path)


def test_no_client_is_made_whose_data_is_cut() -> None:
    sources = [module.read_text() for module in modules(LAYER / "dovecote")]
    made = re.compile(r'(?:client|_made)\(\s*"([\w-]+)"')
    assert {name for text in sources for name in made.findall(text)} == set(build.SERVICES)


# What is built, of what the index of this machine has


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layer as make build has it, for x86_64 and compiled."""
    if build.find_python() is None:
        pytest.skip("no Python 3.13 is here to compile the layer: pyenv install 3.13")
    directory = tmp_path_factory.mktemp("x86_64")
    built = made(directory, f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert built.returncode == 0, built.stderr
    assert "bytes unzipped, for x86_64" in built.stdout
    return directory / "artefacts" / "python"


@pytest.fixture(scope="module")
def bare(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layer for arm64, as it is where there is no Python 3.13: one build to see both."""
    unless_this_is_one()
    directory = tmp_path_factory.mktemp("arm64")
    built = made(directory, str(tools), "ARCHITECTURE=arm64")
    assert built.returncode == 0, built.stderr
    # sam shows what a build that succeeds writes to stdout, and drops its stderr.
    assert all("warning: no Python 3.13 was found" in told for told in (built.stdout, built.stderr))
    return directory / "artefacts" / "python"


def test_every_module_is_compiled_and_its_source_is_not_looked_up(layer: Path) -> None:
    assert uncompiled(layer) == []
    caches = list(layer.rglob("*.pyc"))
    assert sorted(caches) == sorted(compiled(module) for module in modules(layer))


def test_compiled_modules_name_the_place_where_lambda_has_them(layer: Path) -> None:
    code = compiled(layer / "dovecote" / "core" / "route.py").read_bytes()
    assert b"/opt/python/dovecote/core/route.py" in code
    assert str(layer).encode() not in code


def test_nothing_is_compiled_where_there_is_no_python_3_13(bare: Path) -> None:
    assert not list(bare.rglob("__pycache__"))


@pytest.mark.parametrize(("tree", "number"), [("layer", 62), ("bare", 183)])
def test_every_library_is_the_machines(
    request: pytest.FixtureRequest, tree: str, number: int
) -> None:
    built: Path = request.getfixturevalue(tree)
    libraries = list(built.rglob("*.so*"))
    assert {name.parent.name for name in libraries} >= {"psycopg_binary", "psycopg_binary.libs"}
    assert {library.read_bytes()[18] for library in libraries} == {number}


def test_botocore_knows_the_services_in_use_and_no_others(layer: Path) -> None:
    kept = {path.name for path in (layer / "botocore" / "data").iterdir()}
    assert kept == {
        *("lambda", "sesv2", "sns"),
        *("_retry.json", "endpoints.json", "partitions.json", "sdk-default-configuration.json"),
    }
    assert not (layer / "boto3" / "data").exists()


def test_nothing_lies_beside_dovecote_but_packages(layer: Path) -> None:
    beside = {path.name for path in layer.iterdir()}
    assert "dovecote" in beside
    assert not beside & {"Makefile", "bin", "build.py", "requirements.in", "requirements.txt"}
    unwanted = (*build.FORBIDDEN, build.EXPORTER)
    assert not [name for name in unwanted if (layer / name).exists()]


def test_the_api_is_described_in_json_alone(layer: Path) -> None:
    described = json.loads((layer / "dovecote" / "aws" / "openapi.json").read_text())
    assert described == yaml.safe_load(openapi.SOURCE.read_text("utf-8"))
    assert not (layer / "dovecote" / "aws" / "openapi.yaml").exists()


def test_the_layer_has_every_sql_file_and_the_authorities(layer: Path) -> None:
    built = layer / "dovecote" / "store"
    source = build.PACKAGE / "store"
    read = [*source.rglob("*.sql"), *source.rglob("*.pem")]
    assert len(read) > 100
    for path in read:
        assert (built / path.relative_to(source)).read_bytes() == path.read_bytes(), path


def test_a_package_keeps_its_licence_and_what_python_reads_of_it(layer: Path) -> None:
    for package in layer.glob("*.dist-info"):
        names = [path.name.upper() for path in package.rglob("*")]
        assert "METADATA" in names
        assert any(name.startswith(("LICEN", "COPYING")) for name in names), package.name
        assert not {"INSTALLER", "RECORD", "REQUESTED"} & set(names)


def test_anybody_may_read_the_layer(layer: Path) -> None:
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in layer.rglob("*"))
