"""Local stacks that send through the first channel, and single functions as a stack runs them."""

import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from local.page.site import serve
from local.process import Sink
from local.provider import Provider
from local.runtime import Runtime
from local.stack import Options, Stack
from local.template import Function, Template
from tests.builders import CHANNEL
from tests.catalogs import checkout
from tests.sending import SETTINGS, create_topic


def a_stack(
    folder: Path,
    environment: dict[str, str] | None = None,
    tick_seconds: float = 3600,
    page: bool = False,
    **more: Any,
) -> Stack:
    """Return a stack below a folder, with `environment` for its functions.

    `more` is of Options. With the default `tick_seconds` no schedule fires during a test.
    """
    provider = Provider()
    create_topic(provider)
    settings = {
        "EMAIL_FROM": "Dovecote <dovecote@example.com>",
        # On a busy machine the first client of a provider takes seconds.
        "INLINE_BUDGET_SECONDS": "8",
        **SETTINGS.get(CHANNEL, {}),
    }
    options = Options(
        directory=folder / "stack",
        root=checkout(folder / "checkout"),
        environment=settings | (environment or {}),
        tick_seconds=tick_seconds,
        page=serve if page else None,
        **({"durable": False} | more),
    )
    return Stack(options, provider)


@asynccontextmanager
async def a_function(
    folder: Path, sink: Sink, source: str, *, timeout: int = 5, concurrency: int = 4
) -> AsyncIterator[Runtime]:
    """Run one function, `sample`, of the given source."""
    (folder / "app.py").write_text(textwrap.dedent(source))
    function = Function(
        id="sample",
        name="sample",
        arn="arn:aws:lambda:us-east-1:123456789012:function:sample",
        code=folder,
        handler="app.handler",
        timeout=timeout,
        memory=128,
        environment=MappingProxyType({"COLOUR": "of the template", "SHAPE": "round"}),
        layers=(),
    )
    runtime = Runtime(
        Template(functions={"sample": function}, routes=(), schedules=(), sources=(), users={}),
        environment={"COLOUR": "of the stack"},
        sink=sink,
        concurrency=concurrency,
    )
    try:
        yield runtime
    finally:
        await runtime.stop()
