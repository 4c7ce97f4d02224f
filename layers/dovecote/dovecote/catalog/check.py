"""Check a catalog folder: its kinds, their schemas and their templates."""

from pathlib import Path

from dovecote.catalog.kinds import load
from dovecote.catalog.rendering import Renderer
from dovecote.catalog.sections import Sections


def check(folder: Path, sections: Sections) -> int:
    """Check a catalog with its templates; return how many kinds it has. Raises BadCatalog."""
    kinds = load(folder, sections)
    for kind in kinds.values():
        _ = kind.check.compiled
    Renderer(kinds, folder).check()
    return len(kinds)
