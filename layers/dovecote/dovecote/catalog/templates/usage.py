"""Which variables a template uses, with its layouts and partials, and which have to exist."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from jinja2 import meta, nodes
from jinja2.visitor import NodeTransformer, NodeVisitor

Parse = Callable[[str], nodes.Template]
_NOT_VARIABLES = {"self", "super"}
_GUARDING_TESTS = ("defined", "undefined", "none")
_GUARDING_FILTERS = ("default", "d")


def used_names(tree: nodes.Template) -> frozenset[str]:
    """Return the variables that a template takes from outside, with functions of Jinja2."""
    return frozenset(meta.find_undeclared_variables(tree) - _NOT_VARIABLES)


def needed_names(tree: nodes.Template) -> frozenset[str]:
    """Return the names that a template uses without a default or a test that they are defined."""
    loads = _Loads()
    loads.visit(tree)
    return frozenset(loads.names)


def pieces(tree: nodes.Template) -> Sequence[str] | None:
    """Return texts with the name of a variable between each two.

    Return None where a template does more than print variables.
    """
    found = [""]
    for node in tree.find_all(nodes.Node):
        if isinstance(node, nodes.TemplateData):
            found[-1] += node.data
        elif isinstance(node, nodes.Name) and node.ctx == "load":
            found += (node.name, "")
        elif not isinstance(node, nodes.Scope | nodes.Output):
            return None
    return found


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
        self._visit_branches(node.test, node.body, [*node.elif_, *node.else_])

    def visit_CondExpr(self, node: nodes.CondExpr) -> None:  # noqa: N802 - Jinja2 names it
        self._visit_branches(node.test, [node.expr1], [node.expr2] if node.expr2 else [])

    def visit_And(self, node: nodes.And) -> None:  # noqa: N802 - Jinja2 names it
        self._visit_branches(node.left, [node.right], [])

    def visit_Or(self, node: nodes.Or) -> None:  # noqa: N802 - Jinja2 names it
        self._visit_branches(node.left, [], [node.right])

    def _visit_branches(
        self, test: nodes.Node, then: Sequence[nodes.Node], otherwise: Sequence[nodes.Node]
    ) -> None:
        """Visit a test, and the parts that are evaluated where it holds and where it does not."""
        self.visit(test)
        before = self._defined
        for holds, parts in ((True, then), (False, otherwise)):
            self._defined = before | _defined(test, holds=holds)
            for part in parts:
                self.visit(part)
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


class Inliner(NodeTransformer):
    """Inlines one template. What it refers to exists, and nothing refers to itself."""

    def __init__(self, parse: Parse) -> None:
        self._parse = parse
        self._blocks: dict[str, list[nodes.Block]] = {}

    def inlined(self, tree: nodes.Template) -> list[nodes.Node]:
        """Return the statements of a template, with those of all that it extends and includes."""
        chain = list(self._chain(tree))
        for one in chain:
            for block in one.find_all(nodes.Block):
                self._blocks.setdefault(block.name, []).append(block)
        before = [node for one in chain[:-1] for node in one.body if not _is_dropped(node)]
        return self._visited([*before, *chain[-1].body])

    def _chain(self, tree: nodes.Template) -> Iterator[nodes.Template]:
        """Yield a template, the layout that it extends, and so on."""
        yield tree
        while (extends := tree.find(nodes.Extends)) is not None:
            tree = self._parse(referred(extends))
            yield tree

    def _visited(self, body: Iterable[nodes.Node]) -> list[nodes.Node]:
        return [found for node in body for found in self.visit_list(node)]

    def visit_Block(self, node: nodes.Block) -> nodes.Node:  # noqa: N802 - Jinja2 names it
        """Replace a block by its last definition, and those that it calls as super()."""
        body: list[nodes.Node] = []
        for block in self._blocks[node.name]:
            body += block.body
            if not _calls_super(block):
                break
        return nodes.Scope(self._visited(body), lineno=node.lineno)

    def visit_Include(self, node: nodes.Include) -> nodes.Node:  # noqa: N802 - Jinja2 names it
        """Replace an include by the partial."""
        body = Inliner(self._parse).inlined(self._parse(referred(node)))
        return nodes.Scope(body, lineno=node.lineno)


def referred(node: nodes.Extends | nodes.Include | nodes.Import | nodes.FromImport) -> str:
    """Return the name of the template that a node refers to by a constant."""
    return str(node.template.as_const())


def _is_dropped(node: nodes.Node) -> bool:
    """Return whether a template that extends another does not render a statement in its place."""
    return isinstance(node, nodes.Output | nodes.Block | nodes.Extends)


def _calls_super(block: nodes.Block) -> bool:
    return any(name.name == "super" for name in block.find_all(nodes.Name))
