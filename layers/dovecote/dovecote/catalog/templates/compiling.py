"""Compile and check templates: what they refer to, and the variables that they use.

Literals become decimals, and all is printed as JSON. The check looks at layouts and partials in the
place where a template uses them, so that a variable that it sets for them is known.
"""

import posixpath
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from jinja2 import TemplateError, TemplateSyntaxError, nodes
from jinja2.compiler import CodeGenerator, Frame, generate
from jinja2.defaults import DEFAULT_NAMESPACE
from jinja2.lexer import Lexer, Token

from dovecote.catalog.errors import BadCatalog
from dovecote.catalog.templates import decimals
from dovecote.catalog.templates.jinja import Sandbox
from dovecote.catalog.templates.precompiled import Unit, Uses
from dovecote.catalog.templates.usage import (
    Inliner,
    needed_names,
    pieces,
    referred,
    used_names,
)

SHARED = ("_layouts", "_partials")
"""The folders of what templates may extend, include and import."""

_SUFFIXES = (".html", ".txt")
_Import = nodes.Import | nodes.FromImport
_REFERENCES = (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)
_Reference = nodes.Extends | nodes.Include | _Import


class _Generator(CodeGenerator):
    """Writes the code of templates: numbers as decimals, and all that is printed as JSON."""

    def visit_Const(self, node: nodes.Const, frame: Frame) -> None:  # noqa: N802 - Jinja2 names it
        if decimals.is_number(node.value):
            self.write(f"environment.number({str(node.value)!r})")
        else:
            super().visit_Const(node, frame)

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:  # noqa: N802 - Jinja2 names it
        """Write order["total"] as order.total, so that an error can name it."""
        if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            self.visit(nodes.Getattr(node.node, node.arg.value, node.ctx), frame)
        else:
            super().visit_Getitem(node, frame)

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802 - Jinja2 names it
        escapes = "context.eval_ctx.autoescape"
        self.write(f"(markup_join if {escapes} else str_join)((")
        for part in node.nodes:
            self.write("environment.finalize(")
            self.visit(part, frame)
            self.write("), ")
        self.write("))")

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: Any) -> str:
        """Leave all but text to be printed at the time of rendering."""
        if not isinstance(node, nodes.TemplateData):
            raise nodes.Impossible
        return super()._output_child_to_const(node, frame, finalize)


class _Lexer(Lexer):
    """Reads literals with all their digits, which a float does not keep."""

    def wrap(
        self,
        stream: Iterable[tuple[int, str, str]],
        name: str | None = None,
        filename: str | None = None,
    ) -> Iterator[Token]:
        """Return the tokens of a template, with decimals in place of floats."""
        texts: deque[str] = deque()
        for token in super().wrap(_noted(stream, texts), name, filename):
            value: Any = Decimal(texts.popleft()) if token.type == "float" else token.value
            yield Token(token.lineno, token.type, value)


def _noted(
    stream: Iterable[tuple[int, str, str]], texts: deque[str]
) -> Iterator[tuple[int, str, str]]:
    """Yield parts of a template, and note the texts of floats."""
    for part in stream:
        if part[1] == "float":
            texts.append(part[2].replace("_", ""))
        yield part


class CompilingSandbox(Sandbox):
    """Where templates are parsed and compiled."""

    code_generator_class = _Generator

    def __init__(self, loader: Any) -> None:
        super().__init__(loader)
        self.globals = {}  # a variable hides the function of its name

    @cached_property
    def lexer(self) -> Lexer:
        """The reader of templates."""
        return _Lexer(self)


class Inspection:
    """Checks the templates of a folder; raises BadCatalog with file and line."""

    def __init__(self, loader: Any, source: Callable[[str], str], folder: Path) -> None:
        self.sandbox = CompilingSandbox(loader)
        self._source = source
        self._folder = folder
        self._checked: set[str] = set()

    def uses(self, unit: Unit) -> Uses:
        """Return the variables of a template and the files that it refers to."""
        files = self._files(unit, ())
        whole = self._whole(unit)
        names = used_names(whole)
        return Uses(
            names=names,
            needed=(names & needed_names(whole)) - DEFAULT_NAMESPACE.keys(),
            pieces=pieces(whole),
            files=frozenset(files),
        )

    def shared(self) -> Iterator[Unit]:
        """Yield the layouts and partials."""
        for folder in SHARED:
            for path in sorted((self._folder / folder).rglob("*")):
                if path.is_file() and not path.name.startswith("."):
                    yield self._shared(path.relative_to(self._folder).as_posix())

    def check(self, unit: Unit) -> None:
        """Check a layout or partial, whatever uses it."""
        if not unit.place.endswith(_SUFFIXES):
            raise BadCatalog(f"{unit.place}: must end in .html or .txt")
        self._files(unit, ())

    def place(self, unit: Unit, variable: str) -> str:
        """Return the file and the line where a template uses a variable."""
        for one in (unit, *map(self._shared, sorted(self._files(unit, ())))):
            for name in self._parsed(one).find_all(nodes.Name):
                if name.name == variable and name.ctx == "load":
                    return f"{one.place}: line {name.lineno}"
        return unit.place

    def _shared(self, name: str) -> Unit:
        place = f"templates/{name}"
        try:
            return Unit(place=place, name=name, source=self._source(name))
        except UnicodeDecodeError as error:
            raise BadCatalog(f"{place}: {error}") from None

    def _parsed(self, unit: Unit) -> nodes.Template:
        """Return a new tree of a template, which its reader may change."""
        try:
            return self.sandbox.parse(unit.source, unit.name, unit.name)
        except TemplateSyntaxError as error:
            raise BadCatalog(f"{unit.place}: line {error.lineno}: {error.message}") from None

    def _files(self, unit: Unit, users: tuple[str, ...]) -> set[str]:
        """Check a template and what it refers to; return the names of that."""
        tree = self._parsed(unit)
        self._check(unit, tree)
        found = set()
        for node in cast("Iterator[_Reference]", tree.find_all(_REFERENCES)):
            target = self._target(unit, node, users)
            found |= {target.name or "", *self._files(target, (*users, unit.key))}
        return found

    def _target(self, unit: Unit, node: _Reference, users: tuple[str, ...]) -> Unit:
        """Return the template that a node refers to."""
        place = f"{unit.place}: line {node.lineno}"
        name = node.template.value if isinstance(node.template, nodes.Const) else None
        if not isinstance(name, str):
            raise BadCatalog(f"{place}: extend, include and import take one name, in quotes")
        if not _is_shared(name):
            raise BadCatalog(
                f"{place}: must not use {name}: a template extends, includes and imports only"
                " what is in _layouts/ or _partials/"
            )
        suffix = ".html" if (unit.name or "").endswith(".html") else ".txt"
        if not name.endswith(suffix):
            raise BadCatalog(f"{place}: must not use {name}, only files that end in {suffix}")
        if name in (*users, unit.key):
            raise BadCatalog(f"{place}: refers to itself: {' -> '.join((*users, unit.key, name))}")
        try:
            target = self._shared(name)
        except OSError:
            raise BadCatalog(f"{place}: there is no templates/{name}") from None
        self._check_import(place, node, target)
        return target

    def _check(self, unit: Unit, tree: nodes.Template) -> None:
        """Check what one file holds."""
        if unit.key in self._checked:
            return
        self._check_names(unit, tree)
        for position, node in enumerate(tree.find_all(nodes.Extends)):
            if position or node not in tree.body:
                raise BadCatalog(
                    f"{unit.place}: line {node.lineno}: extends one layout at most, and not within"
                    " another tag"
                )
        try:
            generate(self._parsed(unit), self.sandbox, unit.name, unit.name)
        except TemplateError as error:
            line = getattr(error, "lineno", None)
            raise BadCatalog(f"{unit.place}: line {line}: {error.message}") from None
        self._checked.add(unit.key)

    def _check_names(self, unit: Unit, tree: nodes.Template) -> None:
        """Refuse unknown filters and tests; Jinja2 finds some only when it renders."""
        for node in tree.find_all((nodes.Filter, nodes.Test)):
            known = self.sandbox.filters if isinstance(node, nodes.Filter) else self.sandbox.tests
            if node.name not in known:
                raise BadCatalog(f"{unit.place}: line {node.lineno}: there is no {node.name}")

    def _check_import(self, place: str, node: _Reference, target: Unit) -> None:
        """Refuse an import of what a file does not have."""
        if not isinstance(node, nodes.FromImport):
            return
        defined = set(_defined(self._parsed(target)))
        for name in (one if isinstance(one, str) else one[0] for one in node.names):
            if name not in defined:
                raise BadCatalog(f"{place}: {target.place} has no {name}")

    def _whole(self, unit: Unit) -> nodes.Template:
        """Return a template with all that it extends, includes and imports with context."""
        inliner = Inliner(lambda name: self._parsed(self._shared(name)))
        body = inliner.inlined(self._parsed(unit))
        imports = nodes.Template(body).find_all((nodes.Import, nodes.FromImport))
        for node in cast("list[_Import]", list(imports)):
            target = self._shared(referred(node))
            if node.with_context:
                body.append(nodes.Scope(self._whole(target).body, lineno=node.lineno))
            else:
                self._check_alone(target)
        whole = nodes.Template(body, lineno=1)
        whole.set_environment(self.sandbox)
        return whole

    def _check_alone(self, unit: Unit) -> None:
        """Refuse variables in templates that are imported without context: they get none."""
        for name in sorted(self.uses(unit).needed):
            raise BadCatalog(
                f"{self.place(unit, name)}: uses {name}, which an import does not pass: give it to"
                " the macro, or import with context"
            )


def _is_shared(name: str) -> bool:
    return posixpath.normpath(name) == name and name.partition("/")[0] in SHARED


def _defined(tree: nodes.Template) -> Iterator[str]:
    """Yield the names that a template offers to those that import it."""
    for node in tree.body:
        if isinstance(node, nodes.Macro):
            yield node.name
        for target in node.find_all(nodes.Name) if isinstance(node, nodes.Assign) else ():
            if target.ctx == "store":
                yield target.name
