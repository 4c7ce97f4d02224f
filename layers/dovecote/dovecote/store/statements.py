"""The statements of sql/, by name."""

from functools import cache
from importlib.resources import files


@cache
def statement(name: str) -> bytes:
    """Return the text of sql/<name>.sql."""
    return files("dovecote.store").joinpath("sql", f"{name}.sql").read_bytes()
