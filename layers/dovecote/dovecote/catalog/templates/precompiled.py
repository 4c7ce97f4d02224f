"""Templates compiled when the catalog was built: the code of Python, and the variables they use."""

import hashlib
import importlib.util
import marshal
from collections.abc import Callable, Mapping
from pathlib import Path
from types import CodeType

import msgspec

FILE = "templates.msgpack"
FORMAT = 1
"""A change of the code that templates are compiled to has another."""

MAGIC = importlib.util.MAGIC_NUMBER.hex()
"""The number of the compiled code that this Python reads."""


class UndefinedVariable(Exception):
    """A variable does not exist, or has no text; the message names it and holds no value."""


class Uses(msgspec.Struct, frozen=True, kw_only=True):
    """The variables of a template, with those of the layouts and partials that it uses.

    `needed` are used without a default or a test that they exist; the others of `names` may be
    missing. `reads` are those that a check has to read in full: none where all are just printed.
    """

    names: frozenset[str]
    needed: frozenset[str]
    reads: frozenset[str]
    files: frozenset[str]


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """A template of a kind: a named file, or a text of kinds.yaml or push.json."""

    place: str
    name: str | None
    source: str

    @property
    def key(self) -> str:
        """Return its name among those that were compiled."""
        return f"text: {self.source}" if self.name is None else self.name


class CompiledTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A template's code; `uses` is None for a layout or partial."""

    sha256: str
    code: bytes
    uses: Uses | None = None


class CompiledTemplates(msgspec.Struct, frozen=True, kw_only=True):
    """All templates of a catalog, for the Python of a magic number."""

    magic: str
    form: int
    templates: dict[str, CompiledTemplate]


class Precompiled:
    """The compiled templates of a catalog; those whose sources changed since are left out."""

    def __init__(
        self, templates: Mapping[str, CompiledTemplate], source: Callable[[str], str]
    ) -> None:
        self._templates = templates
        self._source = source

    def code(self, key: str, source: str) -> CodeType | None:
        """Return the code that a source was compiled to."""
        found = self._templates.get(key)
        if found is None or found.sha256 != digest(source):
            return None
        code: CodeType = marshal.loads(found.code)  # noqa: S302 - `make build` wrote it
        return code

    def uses(self, unit: Unit) -> Uses | None:
        """Return the variables of a template, unless it or a file that it uses changed."""
        found = self._templates.get(unit.key)
        if found is None or found.uses is None or found.sha256 != digest(unit.source):
            return None
        return found.uses if all(map(self._is_current, found.uses.files)) else None

    def _is_current(self, name: str) -> bool:
        found = self._templates.get(name)
        try:
            return found is not None and found.sha256 == digest(self._source(name))
        except OSError:
            return False


def load(folder: Path) -> Mapping[str, CompiledTemplate]:
    """Return the compiled templates of a catalog folder: none where this Python cannot use them."""
    try:
        found = msgspec.msgpack.decode((folder / FILE).read_bytes(), type=CompiledTemplates)
    except (OSError, msgspec.MsgspecError):
        return {}
    return found.templates if (found.magic, found.form) == (MAGIC, FORMAT) else {}


def digest(source: str) -> str:
    """Return the SHA-256 of a template's text."""
    return hashlib.sha256(source.encode()).hexdigest()
