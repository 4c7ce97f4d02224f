"""The templates of a catalog folder, compiled ahead or when they are first used."""

from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING

from jinja2 import BaseLoader, Template

from dovecote.catalog.kinds import digest
from dovecote.catalog.templates import light_jinja
from dovecote.catalog.templates.jinja import JinjaTemplate, Sandbox
from dovecote.catalog.templates.precompiled import CompiledTemplate, Unit, Uses

if TYPE_CHECKING:
    from dovecote.catalog.templates.compiling import Inspection


class Templates(BaseLoader):
    """The templates below the folder `templates` of a catalog, with their compiled code."""

    def __init__(self, catalog: Path, compiled: Mapping[str, CompiledTemplate]) -> None:
        self._folder = catalog / "templates"
        self._compiled = compiled
        self.source = cache(self._read)
        self.template = cache(self._template)
        self.uses = cache(self._uses)
        self.sandbox = Sandbox(self)

    def _template(self, unit: Unit) -> JinjaTemplate:
        """Return a template of a kind, ready to be rendered; raise BadCatalog."""
        return JinjaTemplate(self._made(self.sandbox, unit), self.uses(unit))

    def load(self, environment: "Sandbox", name: str, globals: object = None) -> Template:  # type: ignore[override] # noqa: ARG002
        """Return the template of a file that another one uses."""
        return self._made(environment, Unit(place=name, name=name, source=self.source(name)))

    def _made(self, sandbox: Sandbox, unit: Unit) -> Template:
        return Template.from_code(sandbox, self._code(unit), sandbox.make_globals(None))

    def _code(self, unit: Unit) -> CodeType:
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
        light_jinja.complete()
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
