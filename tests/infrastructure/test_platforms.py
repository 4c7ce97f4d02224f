"""What the demo, the local stack and the tests use exists on macOS too."""

import re
from collections import Counter
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = (
    "functions", "layers/dovecote/dovecote", "local", "operate", "tests/faults",
    "tests/integration", "tests/unit",
)  # fmt: skip
LINUX_ONLY = re.compile(
    r"/proc\b|/dev/shm|/sys/|\bprctl\b|\bpidfd|\bsched_getaffinity|\bepoll\b|\binotify|\bgetrusage"
    r'|get_context\("fork"\)|\bos\.fork\b'
)
GUARDED = {"local/leash.py"}  # asks for the platform
# macOS has GNU make 3.81, bash 3.2 and the tools of BSD.
NEWER_MAKE = re.compile(r"^\.ONESHELL|&:|::=|^\w+ *!=|^undefine |\$\((file|let) ", re.M)
GNU_TOOLS = re.compile(
    r"\bsed -i|\bsed\b.*\\t|\b(grep -P|xargs -r|readlink -f|date -d|find -)|\|&|&>>"
    r"|\b(nproc|timeout|tac|setsid|mapfile|declare -A)\b"
)


@pytest.mark.parametrize("folder", FOLDERS)
def test_only_guarded_modules_use_what_linux_alone_has(folder: str) -> None:
    found = {
        str(path.relative_to(ROOT)): sorted(set(LINUX_ONLY.findall(path.read_text())))
        for path in sorted((ROOT / folder).rglob("*.py"))
    }
    assert {name: uses for name, uses in found.items() if uses and name not in GUARDED} == {}


def test_no_two_files_differ_in_case_alone() -> None:
    tops = ("bench", "docs", "events", *FOLDERS)
    files = chain.from_iterable((ROOT / top).rglob("*") for top in tops)
    paths = Counter(str(path).lower() for path in files if "__pycache__" not in path.parts)
    assert [path for path, count in paths.items() if count > 1] == []


def test_the_makefile_needs_no_newer_make_and_no_gnu_tools() -> None:
    text = (ROOT / "Makefile").read_text()
    assert NEWER_MAKE.search(text) is None
    assert GNU_TOOLS.search(text) is None
