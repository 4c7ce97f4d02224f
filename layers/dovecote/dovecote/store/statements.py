"""The statements of sql/, by name."""

import re
from functools import cache
from importlib.resources import files

_NAMED = re.compile(rb"%\((\w+)\)s")


@cache
def statement(name: str) -> bytes:
    """Return the text of sql/<name>.sql; a claim's is followed by what is told of its routes.

    One that takes lapsed claims over notes them before.
    """
    text = files("dovecote.store").joinpath("sql", f"{name}.sql").read_bytes()
    if name in LAPSED:
        text += b"), noted as (\n%b" % statement("lapsed")
    if name == "publish_accepted":
        return b"with recorded as (\n%breturning 1), published as (\n%b%breturning 1)\n%b" % (
            statement("record_acceptances"),
            statement("publish"),
            b"  and (select count(*) from recorded) >= 0\n",
            text,
        )
    if name in CLAIMS:
        return b"with claimed as (\n%b)\n%b" % (text, statement("claimed"))
    return text


LAPSED = frozenset({"claim_lapsed", "claim_expired"})
"""The statements that claim routes whose lease may have run out."""

CLAIMS = LAPSED | {"claim"}
"""The statements that claim routes."""


@cache
def numbered(name: str) -> tuple[bytes, list[str]]:
    """Return that text with $1, $2, … for the names of its parameters, and these in order."""
    names = list(dict.fromkeys(match.decode() for match in _NAMED.findall(statement(name))))
    number = {parameter.encode(): b"$%d" % n for n, parameter in enumerate(names, start=1)}
    return _NAMED.sub(lambda match: number[match[1]], statement(name)), names
