"""The templates of a catalog folder, compiled ahead or when they are first used."""

from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dovecote.catalog.compiled import digest
from dovecote.catalog.templates.precompiled import CompiledTemplate, Unit, Uses
from dovecote.catalog.templates.printing import PrintingTemplate, escapes

if TYPE_CHECKING:
    from types import CodeType

    from jinja2 import Template

    from dovecote.catalog.templates.compiling import Inspection
    from dovecote.catalog.templates.jinja import JinjaTemplate, Sandbox


class Templates:
    """The templates below the folder `templates` of a catalog, with their compiled code."""

    def __init__(self, catalog: Path, compiled: Mapping[str, CompiledTemplate]) -> None:
        self._folder = catalog / "templates"
        self._compiled = compiled
        self.source = cache(self._read)
        self.template = cache(self._template)
        self.uses = cache(self._uses)

    def _template(self, unit: Unit) -> "PrintingTemplate | JinjaTemplate":
        """Return a template of a kind, ready to be rendered; raise BadCatalog."""
        uses = self.uses(unit)
        if uses.pieces is not None:
            return PrintingTemplate(uses.pieces, escapes=escapes(unit.name))
        from dovecote.catalog.templates.jinja import JinjaTemplate  # noqa: PLC0415

        return JinjaTemplate(self._made(self.sandbox, unit), uses)

    @cached_property
    def sandbox(self) -> "Sandbox":
        """Where templates are rendered that do more than print variables."""
        from dovecote.catalog.templates.jinja import Sandbox  # noqa: PLC0415

        return Sandbox(self)

    def load(self, environment: "Sandbox", name: str, globals: Any = None) -> "Template":  # noqa: ARG002
        """Return the template of a file that another one uses; Jinja2 calls this."""
        return self._made(environment, Unit(place=name, name=name, source=self.source(name)))

    def _made(self, sandbox: "Sandbox", unit: Unit) -> "Template":
        code = self._code(unit)
        return sandbox.template_class.from_code(sandbox, code, sandbox.make_globals(None))

    def _code(self, unit: Unit) -> "CodeType":
        ahead = self._ahead(unit)
        if ahead is None:
            return self.inspection.sandbox.compile(unit.source, unit.name, unit.name)
        return compile(ahead.code, unit.name or "<template>", "exec")

    def _ahead(self, unit: Unit) -> CompiledTemplate | None:
        """Return what a template was compiled to, unless it changed since."""
        found = self._compiled.get(unit.key)
        return found if found is not None and found.sha256 == digest(unit.source.encode()) else None

    @cached_property
    def inspection(self) -> "Inspection":
        """The compiler and the check, which are needed where nothing was compiled ahead."""
        from dovecote.catalog.templates.compiling import Inspection  # noqa: PLC0415

        return Inspection(self, self.source, self._folder)

    def _uses(self, unit: Unit) -> Uses:
        ahead = self._ahead(unit)
        if ahead and ahead.uses and all(map(self._is_current, ahead.uses.files)):
            return ahead.uses
        return self.inspection.uses(unit)

    def _is_current(self, name: str) -> bool:
        try:
            unit = Unit(place=name, name=name, source=self.source(name))
        except OSError:
            return False
        return self._ahead(unit) is not None

    def _read(self, name: str) -> str:
        return (self._folder / name).read_text("utf-8")
