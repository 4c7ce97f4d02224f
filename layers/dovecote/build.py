"""Build the layer: the package dovecote and what it imports, for one machine's Python 3.13.

The Makefile runs it in a copy of this folder, with any python3 of 3.11 or newer that has pip. What
it makes depends on the lock and the sources alone: two builds are the same, file by file.
"""

import argparse
import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

HERE = Path(__file__).parent
LOCK = HERE / "requirements.txt"
OTLP_LOCK = HERE / "requirements-otlp.txt"
PACKAGE = HERE / "dovecote"

# A machine by Lambda's word for it: what wheels call it, and its number in an ELF header.
MACHINES = {"x86_64": ("x86_64", 62), "arm64": ("aarch64", 183)}
# psycopg's wheels need glibc 2.28, which Lambda's Amazon Linux 2023 has.
PLATFORMS = ("manylinux_2_28", "manylinux2014")

# The services that dovecote calls; botocore's models of all others are 20 MB.
SERVICES = ("lambda", "sesv2", "sns")
MODELS = ("service-2.json", "endpoint-rule-set-1.json")
SHARED = ("_retry.json", "endpoints.json", "partitions.json", "sdk-default-configuration.json")

# What costs a cold start and is used by none, wherever it may come from.
FORBIDDEN = (
    "awscrt", "aws_xray_sdk", "pip", "pkg_resources", "pydantic", "pydantic_core", "setuptools",
)  # fmt: skip
# What only a layer that is built with OTLP has.
EXPORTER = "opentelemetry/exporter"

# The lock's markers, and whether they hold on Lambda. A new one is to be judged by a person.
MARKERS = {"": True, "implementation_name != 'pypy'": True, "sys_platform == 'win32'": False}
PIN = re.compile(r"^([\w.-]+)==(\S+)(?: ; (.+?))? \\$", re.MULTILINE)

# Every release of 3.13 writes and reads modules of this number.
MAGIC = "f30d0d0a"
PROBE = "import importlib.util as util; print(util.MAGIC_NUMBER.hex())"

# How the layer's own PyYAML reads a text: in the place of a date JSON takes nothing, and it raises.
AS_JSON = """
import json, pathlib, sys
sys.path.insert(0, sys.argv[1])
import yaml
described = yaml.safe_load(pathlib.Path(sys.argv[2]).read_text("utf-8"))
pathlib.Path(sys.argv[3]).write_text(json.dumps(described, separators=(",", ":")))
"""

LIMIT = 60_000_000  # bytes unzipped; Lambda takes 250 MB

NOT_COMPILED = """\
no Python 3.13 was found, neither as python3.13 on PATH nor under pyenv. The layer's modules are not
compiled, so every cold start compiles them: its imports take 2.5 times the CPU time.
Install one (pyenv install 3.13) and build again; with ENV=prod there is no build without."""


class BuildError(Exception):
    """The layer can't be built, or not be used; the message says why."""


def main() -> None:
    """Build the layer as the command line says; exit with words where that fails."""
    parser = argparse.ArgumentParser(description="build the layer")
    parser.add_argument("--architecture", choices=MACHINES, required=True)
    parser.add_argument("--env", help="prod refuses a layer whose modules are not compiled")
    parser.add_argument("--otlp", action="store_true", help="with the exporter of spans")
    parser.add_argument("target", type=Path, help="what becomes /opt/python")
    given = parser.parse_args()
    locks = (LOCK, OTLP_LOCK) if given.otlp else (LOCK,)
    try:
        build(given.target, given.architecture, strict=given.env == "prod", locks=locks)
    except BuildError as error:
        sys.exit(f"layer: {error}")


def build(
    target: Path, architecture: str, *, strict: bool, locks: Sequence[Path] = (LOCK,)
) -> None:
    """Fill the target anew with what the locks pin."""
    machine, number = MACHINES[architecture]
    python = find_python()
    if python is None and strict:
        raise BuildError(NOT_COMPILED)
    install(target, machine, locks)
    shutil.copytree(PACKAGE, target / PACKAGE.name)
    describe(target)
    cut(target)
    require_packages(target, locks)
    require_machine(target, machine, number)
    if python is None:
        warn(NOT_COMPILED)
    else:
        compile_all(target, python)
    print(f"layer: {weigh(target):,} bytes unzipped, for {architecture}")


def install(target: Path, machine: str, locks: Sequence[Path]) -> None:
    """Install the wheels of the locks for the machine, whatever machine and python3 build it."""
    shutil.rmtree(target, ignore_errors=True)
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--only-binary=:all:", "--implementation=cp", "--python-version=3.13"),
        *(f"--platform={platform}_{machine}" for platform in PLATFORMS),
        *("--require-hashes", "--no-deps", "--no-compile", f"--target={target}"),
        *(f"--requirement={lock}" for lock in locks),
    ]
    names = " and ".join(lock.name for lock in locks)
    call(command, f"{sys.executable} -m pip could not install {names}")


def call(command: Sequence[str | Path], problem: str) -> None:
    """Run a command; raise BuildError with the problem where it fails."""
    if subprocess.run(command, check=False).returncode != 0:  # noqa: S603 - all of it is ours
        raise BuildError(problem)


def describe(target: Path) -> None:
    """Write the description of the API as JSON in the place of YAML, which is slow to read."""
    source = target / PACKAGE.name / "aws" / "openapi.yaml"
    compiled = source.with_suffix(".json")
    command = (sys.executable, "-I", "-B", "-c", AS_JSON, target, source, compiled)
    call(command, f"{source.name} can't be written as JSON")
    source.unlink()


def cut(target: Path) -> None:
    """Remove what no function reads."""
    cut_data(target / "botocore" / "data")
    unused = [target / name for name in ("bin", "boto3/data", "boto3/examples")]
    for directory in [*unused, *target.rglob("__pycache__")]:
        shutil.rmtree(directory, ignore_errors=True)
    # pip's notes on its work: they differ by the python3 that it ran on, and list what was cut.
    for note in ("INSTALLER", "RECORD", "REQUESTED"):
        for path in list(target.glob(f"*.dist-info/{note}")):
            path.unlink()


def cut_data(data: Path) -> None:
    """Keep the models of the services in use and what all share; raise where one is missing."""
    models = [f"{service}/*/{model}*" for service in SERVICES for model in MODELS]
    if missing := [wanted for wanted in (*models, *SHARED) if not any(data.glob(wanted))]:
        raise BuildError(f"botocore/data has no {', no '.join(missing)}: has an upgrade moved it?")
    for path in list(data.iterdir()):
        if path.is_dir() and path.name not in SERVICES:
            shutil.rmtree(path)
        elif path.is_file() and path.name not in SHARED:
            path.unlink()


def require_packages(target: Path, locks: Sequence[Path] = (LOCK,)) -> None:
    """Raise where a pin of the locks or an import of dovecote is missing, or what is forbidden."""
    found = {_plain(path.stem) for path in target.glob("*.dist-info")}
    for lock in locks:
        if missing := sorted(set(pinned(lock.read_text())) - found):
            raise BuildError(f"these pins of {lock.name} are not in it: {', '.join(missing)}")
    names = {path.name.split(".")[0] for path in target.iterdir()}
    if missing := sorted(set(imported(PACKAGE)) - names - sys.stdlib_module_names):
        raise BuildError(f"dovecote imports what {LOCK.name} does not pin: {', '.join(missing)}")
    forbidden = FORBIDDEN if OTLP_LOCK in locks else (*FORBIDDEN, EXPORTER)
    if unwanted := [name for name in forbidden if Path(target, name).exists()]:
        raise BuildError(f"it has what no function uses: {', '.join(unwanted)}")


def pinned(lock: str) -> Iterator[str]:
    """Yield "name-version" of each pin that Lambda needs."""
    for name, version, marker in PIN.findall(lock):
        if marker not in MARKERS:
            raise BuildError(f"{name} is pinned where {marker}: MARKERS has to say if Lambda is so")
        if MARKERS[marker]:
            yield _plain(f"{name}-{version}")


def imported(package: Path) -> Iterator[str]:
    """Yield the top name of each import anywhere in a package."""
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                yield from (alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                yield node.module.split(".")[0]


def _plain(name: str) -> str:
    """Write a distribution's name and version the same way wherever they come from."""
    return re.sub(r"[-_.]+", "-", name).lower()


def require_machine(target: Path, machine: str, number: int) -> None:
    """Raise where a shared library is another machine's, or psycopg has none for Python 3.13."""
    for path in target.rglob("*.so*"):
        with path.open("rb") as file:
            header = file.read(20)
        if header[:4] != b"\x7fELF" or int.from_bytes(header[18:20], "little") != number:
            raise BuildError(f"{path.relative_to(target)} is not of {machine}")
    for module in ("psycopg_binary/pq", "psycopg_binary/_psycopg"):
        if not Path(target, f"{module}.cpython-313-{machine}-linux-gnu.so").exists():
            raise BuildError(f"{module} is not compiled for Python 3.13 on {machine}")


def find_python() -> str | None:
    """Return a Python 3.13 that runs, if there is one; pyenv's python3.13 on PATH may not."""
    return next((path for path in candidates() if run([path, "-I", "-c", PROBE]) == MAGIC), None)


def candidates() -> Iterator[str]:
    """Yield what may be a Python 3.13."""
    yield sys.executable
    yield from (str(Path(place, "python3.13")) for place in os.get_exec_path())
    if root := run(["pyenv", "root"]):
        yield from map(str, sorted(Path(root).glob("versions/3.13*/bin/python3.13")))


def run(command: list[str]) -> str:
    """Return what a command prints, or nothing where it fails or is not there."""
    try:
        ran = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    except OSError:
        return ""
    return ran.stdout.strip() if ran.returncode == 0 else ""


def compile_all(target: Path, python: str) -> None:
    """Compile every module, to be loaded without a look at its source.

    By hash, because zip and sam change the times by which a module is found to be stale otherwise.
    """
    # -I: no PYTHON* variable puts the files elsewhere, or strips them.
    command = (
        *(python, "-I", "-m", "compileall", "--invalidation-mode", "unchecked-hash", "-q", "-j0"),
        *("-s", target, "-p", "/opt/python", target),
    )
    call(command, "Python 3.13 can't compile a module, which is named above")


def warn(text: str) -> None:
    """Write a warning to stderr, and to stdout: sam shows stderr of failed builds alone."""
    print(f"layer: warning: {text}", file=sys.stderr)
    if not os.path.sameopenfile(1, 2):
        print(f"layer: warning: {text}", flush=True)


def weigh(target: Path) -> int:
    """Return the layer's size in bytes; raise where it is over the limit."""
    size = sum(path.lstat().st_size for path in target.rglob("*") if path.is_file())
    if size > LIMIT:
        raise BuildError(f"it has {size:,} bytes unzipped, more than {LIMIT:,}")
    return size


if __name__ == "__main__":
    main()
