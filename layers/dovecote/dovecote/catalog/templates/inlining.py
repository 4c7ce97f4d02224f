"""Put layouts and partials into the place where a template uses them, to look at them as one."""

from collections.abc import Callable, Iterable, Iterator

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

Parse = Callable[[str], nodes.Template]
_AbstractImport = nodes.Import | nodes.FromImport


class Inliner(NodeTransformer):
    """Inlines one template. What it refers to exists, and nothing refers to itself."""

    def __init__(self, parse: Parse) -> None:
        self._parse = parse
        self._blocks: dict[str, list[nodes.Block]] = {}
        self.imports: list[_AbstractImport] = []

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
        inner = Inliner(self._parse)
        body = inner.inlined(self._parse(referred(node)))
        self.imports += inner.imports
        return nodes.Scope(body, lineno=node.lineno)

    def visit_Import(self, node: nodes.Import) -> nodes.Node:  # noqa: N802 - Jinja2 names it
        """Note an import."""
        self.imports.append(node)
        return node

    def visit_FromImport(self, node: nodes.FromImport) -> nodes.Node:  # noqa: N802 - Jinja2 names it
        """Note an import of names."""
        self.imports.append(node)
        return node


def referred(node: nodes.Extends | nodes.Include | _AbstractImport) -> str:
    """Return the name of the template that a node refers to by a constant."""
    return str(node.template.as_const())


def _is_dropped(node: nodes.Node) -> bool:
    """Return whether a template that extends another does not render a statement in its place."""
    return isinstance(node, nodes.Output | nodes.Block | nodes.Extends)


def _calls_super(block: nodes.Block) -> bool:
    return any(name.name == "super" for name in block.find_all(nodes.Name))
