"""What the page looks at."""

from dataclasses import dataclass
from pathlib import Path

from local.keeper import Keeper
from local.logs import Logs
from local.provider import Provider
from local.runtime import Runtime


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The parts of a running stack."""

    provider: Provider
    runtime: Runtime
    keeper: Keeper | None  # None where PostgreSQL is not the stack's own
    logs: Logs
    database_url: str
    root: Path  # of the checkout
