"""Compile a catalog for cold starts: `python -m dovecote.catalog.compile <built catalog>`.

Its kinds.yaml is written beside it as JSON: to load PyYAML and read it costs more than to answer.
"""

import sys
from pathlib import Path

import msgspec

from dovecote.catalog.check import check
from dovecote.catalog.kinds import COMPILED, SOURCE, BadCatalog, Compiled, digest, parsed


def compile_catalog(folder: Path) -> bool:
    """Check a catalog and compile it; return whether that can be done. Raises BadCatalog.

    What JSON says otherwise than YAML, as a date in a schema, is not compiled.
    """
    check(folder)
    source = (folder / SOURCE).read_bytes()
    kinds = parsed(source)
    compiled = msgspec.json.encode(Compiled(sha256=digest(source), kinds=kinds))
    if msgspec.json.decode(compiled, type=Compiled).kinds != kinds:
        return False
    (folder / COMPILED).write_bytes(compiled)
    (folder / COMPILED).chmod(0o644)
    return True


if __name__ == "__main__":
    try:
        done = compile_catalog(Path(sys.argv[1]))
    except BadCatalog as error:
        sys.exit(f"catalog: {error}")
    print("catalog: compiled" if done else "catalog: not compiled, since JSON can't say all of it")
