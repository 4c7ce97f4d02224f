"""Check a catalog folder: `python -m dovecote.catalog.kinds.check layers/catalog/catalog`."""

import sys
from pathlib import Path

from dovecote.catalog.kinds import BadCatalog, load
from dovecote.catalog.rendering import Renderer


def check(folder: Path) -> int:
    """Read a catalog and hold its templates against it; return how many kinds it has."""
    kinds = load(folder)
    for kind in kinds.values():
        _ = kind.check.compiled
    Renderer(kinds, folder).check()
    return len(kinds)


if __name__ == "__main__":
    try:
        count = check(Path(sys.argv[1]))
    except BadCatalog as error:
        sys.exit(f"catalog: {error}")
    print(f"catalog: {count} kinds are well")
