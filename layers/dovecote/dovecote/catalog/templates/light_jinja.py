"""Load Jinja2 without its lexer, parser, code generator and cache of bytecode.

A function whose templates were compiled when the catalog was built uses none of them, and they are
half of what Jinja2 takes to load (ADR 33). Placeholders stand in for them, until `complete`.
"""

import sys
from threading import Lock
from types import ModuleType

LATER = ("bccache", "compiler", "lexer", "parser")

_LOADING = Lock()


class _Placeholder(ModuleType):
    """A module whose names are classes without members."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {"__module__": self.__name__})


def load() -> None:
    """Load Jinja2 to render compiled templates, unless it is loaded already."""
    with _LOADING:
        if "jinja2" not in sys.modules:
            _load([f"jinja2.{name}" for name in LATER])


def _load(later: list[str]) -> None:
    sys.modules |= {name: _Placeholder(name) for name in later}
    try:
        import jinja2.sandbox  # noqa: F401, PLC0415
    finally:
        for name in later:
            del sys.modules[name]


def complete() -> None:
    """Load what `load` left out."""
    import jinja2  # noqa: PLC0415
    from jinja2 import bccache, compiler, environment, lexer, parser  # noqa: PLC0415

    for owner in (jinja2, environment):
        for module in (bccache, compiler, lexer, parser):
            for name, value in vars(owner).items():
                placed = getattr(value, "__module__", None) == module.__name__
                if placed and hasattr(module, name):
                    setattr(owner, name, getattr(module, name))
    environment.Environment.code_generator_class = compiler.CodeGenerator
