"""The statements of sql/, by name."""

from functools import cache
from importlib.resources import files


@cache
def statement(name: str) -> bytes:
    """Return the text of sql/<name>.sql; a claim's is followed by what is told of its routes."""
    text = files("dovecote.store").joinpath("sql", f"{name}.sql").read_bytes()
    if name in CLAIMS:
        return b"with claimed as (\n%b)\n%b" % (text, statement("claimed"))
    return text


CLAIMS = frozenset({"claim", "claim_lapsed", "claim_expired"})
"""The statements that claim routes."""
