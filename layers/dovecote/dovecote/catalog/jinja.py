"""Templates that need Jinja2: sandboxed, an undefined variable is an error."""

from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from jinja2 import (
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateError,
    Undefined,
    UndefinedError,
    meta,
    nodes,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment

from dovecote.catalog.kinds import BadCatalog
from dovecote.catalog.plain import UndefinedVariable


class _Sandbox(ImmutableSandboxedEnvironment):
    """Where templates are compiled and rendered."""

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """Return a plain dict: Jinja's own ChainMap is copied for each rendering, half its time."""
        return {**self.globals, **(d or {})}

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return an item; say only that it is undefined: its name may be a variable's value."""
        found = super().getitem(obj, argument)
        if isinstance(found, Undefined) and found._undefined_exception is UndefinedError:
            return self.undefined("an item that is asked for is not there")
        return found


class JinjaTemplate:
    """A template that was compiled, and the variables that it uses; a check reads them all."""

    def __init__(self, template: Template, names: frozenset[str]) -> None:
        self._template = template
        self.names = self.reads = names

    def check(self, variables: Mapping[str, Any]) -> None:
        """Raise what rendering raises."""
        self.render(variables)

    def render(self, variables: Mapping[str, Any]) -> str:
        """Return the text; raise UndefinedVariable, or what a filter trips over."""
        used = {name: variables[name] for name in self.names if name in variables}
        try:
            return self._template.render(used)
        except UndefinedError as error:
            raise UndefinedVariable(str(error.message)) from None


class JinjaTemplates:
    """The templates below a folder, and such as stand in a line."""

    def __init__(self, folder: Path) -> None:
        self._environment = _Sandbox(
            loader=FileSystemLoader(folder),
            undefined=StrictUndefined,
            autoescape=lambda name: name is not None and name.endswith(".html"),
            auto_reload=False,
        )

    def file(self, name: str, source: str) -> JinjaTemplate:
        """Compile a file of this source; it is escaped where it is HTML."""
        return self._compiled(self._environment.get_template(name), source)

    def line(self, text: str) -> JinjaTemplate:
        """Compile a text, which is not escaped."""
        return self._compiled(self._environment.from_string(text), text)

    def _compiled(self, template: Template, source: str) -> JinjaTemplate:
        used = meta.find_undeclared_variables(self._environment.parse(source))
        return JinjaTemplate(template, frozenset(used))

    def names(self, place: str, source: str) -> set[str]:
        """Return the variables that a template uses; raise BadCatalog where it is wrong."""
        try:
            tree = self._environment.parse(source)
        except TemplateError as error:
            line = getattr(error, "lineno", None)
            raise BadCatalog(f"{place}: line {line}: {error}") from None
        if any(True for _ in meta.find_referenced_templates(tree)):
            raise BadCatalog(f"{place}: a template may not include or extend another")
        self._check_names(place, tree)
        return meta.find_undeclared_variables(tree)

    def _check_names(self, place: str, tree: nodes.Template) -> None:
        """Refuse filters and tests that there are not; Jinja finds some only when it renders."""
        for node in tree.find_all((nodes.Filter, nodes.Test)):
            filters = isinstance(node, nodes.Filter)
            known = self._environment.filters if filters else self._environment.tests
            if node.name not in known:
                raise BadCatalog(f"{place}: line {node.lineno}: there is no {node.name}")
