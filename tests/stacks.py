"""Local stacks that send through the first channel."""

from pathlib import Path
from typing import Any

from local.page.site import serve
from local.provider import Provider
from local.stack import Options, Stack
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
