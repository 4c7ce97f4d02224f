"""The page: what the stack does, as it does it, and buttons that break things."""

from local.page.scene import Scene
from local.page.site import served

__all__ = ["Scene", "served"]
