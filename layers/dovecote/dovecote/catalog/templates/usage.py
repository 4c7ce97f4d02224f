"""Which variables a template uses, and which of them have to exist."""

from collections.abc import Iterator
from contextlib import contextmanager

from jinja2 import Environment, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.idtracking import VAR_LOAD_RESOLVE
from jinja2.visitor import NodeVisitor

_NOT_VARIABLES = {"self", "super"}
_GUARDING_TESTS = ("defined", "undefined", "none")
_GUARDING_FILTERS = ("default", "d")


def used_names(tree: nodes.Template, environment: Environment) -> frozenset[str]:
    """Return the variables that a template takes from outside, with functions of Jinja2."""
    tracker = _Tracker(environment)
    tracker.visit(tree)
    return frozenset(tracker.names - _NOT_VARIABLES)


def needed_names(tree: nodes.Template) -> frozenset[str]:
    """Return the names that a template uses without a default or a test that they are defined."""
    loads = _Loads()
    loads.visit(tree)
    return frozenset(loads.names)


def only_prints(tree: nodes.Template) -> bool:
    """Return whether a template does no more than print variables between texts."""
    return all(
        isinstance(node, nodes.Scope | nodes.Output | nodes.TemplateData)
        or (isinstance(node, nodes.Name) and node.ctx == "load")
        for node in tree.find_all(nodes.Node)
    )


class _Tracker(CodeGenerator):
    """Notes the names that the code of a template looks up."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment, "<inspection>", "<inspection>")
        self.names: set[str] = set()

    def write(self, x: str) -> None:
        """Write nothing."""

    def enter_frame(self, frame: Frame) -> None:
        super().enter_frame(frame)
        for action, name in frame.symbols.loads.values():
            if action == VAR_LOAD_RESOLVE and name is not None:
                self.names.add(name)


class _Loads(NodeVisitor):
    """Notes the names that are loaded where they may not exist."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self._defined: frozenset[str] = frozenset()

    def visit_Name(self, node: nodes.Name) -> None:  # noqa: N802 - Jinja2 names it
        if node.ctx == "load" and node.name not in self._defined:
            self.names.add(node.name)

    def visit_Test(self, node: nodes.Test) -> None:  # noqa: N802 - Jinja2 names it
        self._visit_guard(node, _GUARDING_TESTS)

    def visit_Filter(self, node: nodes.Filter) -> None:  # noqa: N802 - Jinja2 names it
        self._visit_guard(node, _GUARDING_FILTERS)

    def _visit_guard(self, node: nodes.Test | nodes.Filter, guards: tuple[str, ...]) -> None:
        guarded = node.name in guards and isinstance(node.node, nodes.Name)
        for child in node.iter_child_nodes(exclude=("node",) if guarded else None):
            self.visit(child)

    def visit_If(self, node: nodes.If) -> None:  # noqa: N802 - Jinja2 names it
        self.visit(node.test)
        self._visit_all(node.body, _defined(node.test, holds=True))
        self._visit_all([*node.elif_, *node.else_], _defined(node.test, holds=False))

    def visit_CondExpr(self, node: nodes.CondExpr) -> None:  # noqa: N802 - Jinja2 names it
        self.visit(node.test)
        self._visit_all([node.expr1], _defined(node.test, holds=True))
        self._visit_all([node.expr2] if node.expr2 else [], _defined(node.test, holds=False))

    def visit_And(self, node: nodes.And) -> None:  # noqa: N802 - Jinja2 names it
        self.visit(node.left)
        self._visit_all([node.right], _defined(node.left, holds=True))

    def visit_Or(self, node: nodes.Or) -> None:  # noqa: N802 - Jinja2 names it
        self.visit(node.left)
        self._visit_all([node.right], _defined(node.left, holds=False))

    def _visit_all(self, parts: list[nodes.Node], defined: frozenset[str]) -> None:
        """Visit the parts that are evaluated only where these names are defined."""
        with self._where(defined):
            for part in parts:
                self.visit(part)

    @contextmanager
    def _where(self, defined: frozenset[str]) -> Iterator[None]:
        before, self._defined = self._defined, self._defined | defined
        yield
        self._defined = before


def _defined(test: nodes.Node, *, holds: bool) -> frozenset[str]:
    """Return the names that are defined where a test holds, or where it does not."""
    if isinstance(test, nodes.Not):
        return _defined(test.node, holds=not holds)
    if isinstance(test, nodes.And if holds else nodes.Or):
        return _defined(test.left, holds=holds) | _defined(test.right, holds=holds)
    wanted = "defined" if holds else "undefined"
    if isinstance(test, nodes.Test) and test.name == wanted and isinstance(test.node, nodes.Name):
        return frozenset({test.node.name})
    return frozenset()
