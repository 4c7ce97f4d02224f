"""The templates of a catalog folder, compiled ahead or when they are first used."""

from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING

from jinja2 import BaseLoader, Template

from dovecote.catalog.templates.jinja import JinjaTemplate, Sandbox
from dovecote.catalog.templates.precompiled import CompiledTemplate, Precompiled, Unit, Uses

if TYPE_CHECKING:
    from dovecote.catalog.templates.compiling import CompilingSandbox
    from dovecote.catalog.templates.inspection import Inspection


class Templates:
    """The templates below the folder `templates` of a catalog, with their compiled code."""

    def __init__(self, catalog: Path, compiled: Mapping[str, CompiledTemplate]) -> None:
        self._folder = catalog / "templates"
        self.source = cache(self._read)
        self.uses = cache(self._uses)
        self._ahead = Precompiled(compiled, self.source)
        self.sandbox = Sandbox(_Loader(self))

    def template(self, unit: Unit) -> JinjaTemplate:
        """Return a template of a kind, ready to be rendered; raise BadCatalog."""
        if unit.name is not None:
            made = self.sandbox.get_template(unit.name)
        else:
            code = self.code(unit.key, unit.source, None)
            made = Template.from_code(self.sandbox, code, self.sandbox.make_globals(None))
        return JinjaTemplate(made, self.uses(unit))

    def code(self, key: str, source: str, name: str | None) -> CodeType:
        """Return the code of a template."""
        return self._ahead.code(key, source) or self.compiling.compile(source, name, name)

    @property
    def globals(self) -> frozenset[str]:
        """Return the names of Jinja2's functions."""
        return frozenset(self.sandbox.globals)

    @cached_property
    def compiling(self) -> "CompilingSandbox":
        """The compiler, which is needed where templates were not compiled ahead."""
        from dovecote.catalog.templates.compiling import CompilingSandbox  # noqa: PLC0415

        return CompilingSandbox(_Loader(self))

    @cached_property
    def inspection(self) -> "Inspection":
        """The check of templates, which is needed in the same places."""
        from dovecote.catalog.templates.inspection import Inspection  # noqa: PLC0415

        return Inspection(self.compiling, self.source, self._folder)

    def _uses(self, unit: Unit) -> Uses:
        return self._ahead.uses(unit) or self.inspection.uses(unit)

    def _read(self, name: str) -> str:
        return (self._folder / name).read_text("utf-8")


class _Loader(BaseLoader):
    """Gives Jinja2 the files of a catalog."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    def load(self, environment: "Sandbox", name: str, globals: object = None) -> Template:  # type: ignore[override] # noqa: ARG002
        """Return the template of a file."""
        code = self._templates.code(name, self._templates.source(name), name)
        return Template.from_code(environment, code, environment.make_globals(None))
