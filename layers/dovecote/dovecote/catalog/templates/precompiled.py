"""Templates compiled when the catalog was built: their Python, and the variables they use."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

FILE = "templates.json"
FORMAT = 2
"""A change of the code that templates are compiled to has another."""


class UndefinedVariable(Exception):
    """A variable does not exist, or has no text; the message names it and holds no value."""


class Uses(msgspec.Struct, frozen=True, kw_only=True):
    """The variables of a template, with those of the layouts and partials that it uses.

    `needed` are used without a default or a test that they exist; the others of `names` may be
    missing. `pieces` are texts with the name of a variable between each two, or None where the
    template does more than print variables.
    """

    names: frozenset[str]
    needed: frozenset[str]
    pieces: Sequence[str] | None
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
    """What Jinja2 wrote in Python for a template; `uses` is None for a layout or partial."""

    sha256: str
    code: str
    uses: Uses | None = None


class CompiledTemplates(msgspec.Struct, frozen=True, kw_only=True):
    """All templates of a catalog."""

    form: int
    templates: dict[str, CompiledTemplate]


def load(folder: Path) -> Mapping[str, CompiledTemplate]:
    """Return the compiled templates of a catalog folder: none where they are of another format."""
    try:
        found = msgspec.json.decode((folder / FILE).read_bytes(), type=CompiledTemplates)
    except (OSError, msgspec.MsgspecError):
        return {}
    return found.templates if found.form == FORMAT else {}
