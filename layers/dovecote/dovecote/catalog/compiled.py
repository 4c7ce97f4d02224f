"""YAML files of a catalog as JSON, which `make build` writes: PyYAML would slow each cold start."""

import hashlib
from pathlib import Path
from typing import Any

import msgspec


class Compiled(msgspec.Struct):
    """The document of a YAML file, and the digest of the file that it was read from."""

    sha256: str
    document: dict[str, Any]


def read(path: Path, source: bytes) -> dict[str, Any] | None:
    """Return the document of a source, or None where it was not compiled or has changed since."""
    try:
        compiled = msgspec.json.decode(path.read_bytes(), type=Compiled)
    except (OSError, msgspec.MsgspecError):
        return None
    return compiled.document if compiled.sha256 == digest(source) else None


def write(path: Path, source: bytes, document: dict[str, Any]) -> bool:
    """Compile a document; return False where JSON differs from YAML, as for a date in a schema."""
    content = msgspec.json.encode(Compiled(sha256=digest(source), document=document))
    if msgspec.json.decode(content, type=Compiled).document != document:
        return False
    write_file(path, content)
    return True


def write_file(path: Path, content: bytes) -> None:
    """Write a file that every user may read."""
    path.write_bytes(content)
    path.chmod(0o644)


def digest(source: bytes) -> str:
    """Return the digest that identifies a source."""
    return hashlib.sha256(source).hexdigest()
