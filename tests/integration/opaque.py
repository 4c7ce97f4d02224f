"""Opaque values: random text of any size and width."""

import random
import string

WIDE = {1: string.ascii_letters + string.digits + "-_:", 2: "éüßñøπж", 3: "鳩舎通知", 4: "🕊🐦📮"}
"""Characters by how many bytes UTF-8 makes of each."""


def opaque(size: int, width: int = 1) -> str:
    """Return random text of so many bytes, most of them of characters this wide."""
    chance = random.Random(size + width)
    wide = "".join(chance.choices(WIDE[width], k=size // width))
    return wide + "".join(chance.choices(WIDE[1], k=size % width))
