"""Compile templates of the catalog: literals become decimals, all is printed as JSON."""

from collections import deque
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import cached_property
from typing import Any

from dovecote.catalog.templates import light_jinja

light_jinja.complete()

from jinja2 import nodes  # noqa: E402 - after what light_jinja left out
from jinja2.compiler import CodeGenerator, Frame  # noqa: E402
from jinja2.lexer import Lexer, Token  # noqa: E402

from dovecote.catalog.templates import decimals  # noqa: E402
from dovecote.catalog.templates.jinja import Sandbox  # noqa: E402


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

    @cached_property
    def lexer(self) -> Lexer:
        """The reader of templates."""
        return _Lexer(self)

    def require_code(self, tree: nodes.Template, name: str | None) -> None:
        """Raise TemplateError where the tree of a template cannot be made code."""
        self._generate(tree, name, name)
