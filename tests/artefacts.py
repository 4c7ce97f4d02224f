"""What tests look for in a layer that was built."""

import shutil
from collections.abc import Iterator
from pathlib import Path

# What a compiled module says of itself after its magic number: found by hash, and never checked.
UNCHECKED = (1).to_bytes(4, "little")


def modules(tree: Path) -> Iterator[Path]:
    """Yield every source of a module."""
    yield from tree.rglob("*.py")


def compiled(module: Path) -> Path:
    """Return where Python 3.13 looks for a module's compiled form."""
    return module.parent / "__pycache__" / f"{module.stem}.cpython-313.pyc"


def uncompiled(tree: Path) -> list[str]:
    """Return the modules that Lambda's Python would compile, or look up the source of."""
    return [str(module.relative_to(tree)) for module in modules(tree) if not _unchecked(module)]


def _unchecked(module: Path) -> bool:
    file = compiled(module)
    return file.exists() and file.read_bytes()[4:8] == UNCHECKED


def contents(tree: Path) -> dict[str, tuple[bytes, int]]:
    """Return each file of a tree and its mode by its path."""
    return {
        str(path.relative_to(tree)): (path.read_bytes(), path.stat().st_mode)
        for path in tree.rglob("*")
        if path.is_file()
    }


def without_sources(tree: Path, copy: Path) -> Path:
    """Copy a tree, with a source that fails in the place of every one that is compiled."""
    shutil.copytree(tree, copy)
    for module in modules(copy):
        if compiled(module).exists():
            module.write_text("raise AssertionError('this module was not loaded compiled')\n")
    return copy
