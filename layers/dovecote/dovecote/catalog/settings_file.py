"""settings.yaml of a catalog: settings that are the same in every environment, by their names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dovecote.catalog import compiled
from dovecote.core.parsing.settings import BadSettings

SOURCE = "settings.yaml"
COMPILED = "settings.json"


def load(folder: Path) -> Mapping[str, Any]:
    """Return the settings of a catalog folder, none where it has no file; raise BadSettings."""
    try:
        source = (folder / SOURCE).read_bytes()
    except FileNotFoundError:
        return {}
    found = compiled.read(folder / COMPILED, source)
    return _parsed(source) if found is None else found


def compile_settings(folder: Path) -> None:
    """Compile the settings of a catalog folder; raise BadSettings unless it is a YAML mapping."""
    if (folder / SOURCE).exists():
        source = (folder / SOURCE).read_bytes()
        compiled.write(folder / COMPILED, source, _parsed(source))


def _parsed(source: bytes) -> dict[str, Any]:
    # Not at the top: compiled settings need no PyYAML.
    from dovecote.catalog import strict_yaml  # noqa: PLC0415

    try:
        document = strict_yaml.read(source.decode("utf-8"))
    except (UnicodeDecodeError, strict_yaml.BadYaml) as error:
        raise BadSettings(f"{SOURCE}: {error}") from None
    # A file of comments is null.
    if document is not None and not isinstance(document, dict):
        raise BadSettings(f"{SOURCE}: must map the name of each setting to its value")
    return {str(name): value for name, value in (document or {}).items()}
