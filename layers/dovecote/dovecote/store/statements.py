"""The SQL statements in sql/, by name: "<folder>/<file>", such as "dispatch/claim"."""

import re
from functools import cache
from importlib.resources import files

_PARAMETER = re.compile(rb"%\((\w+)\)s")

TAKEOVERS = frozenset({"dispatch/claim_lapsed", "dispatch/claim_expired"})
"""The statements that may claim routes whose lease ran out."""

CLAIMS = TAKEOVERS | {"dispatch/claim"}
"""The statements that claim routes."""


@cache
def statement(name: str) -> bytes:
    """Return the SQL of sql/<name>.sql, joined with the parts that it shares with others.

    A claim becomes the CTE `claimed`, which dispatch/claimed.sql reads. A claim that takes over a
    lapsed lease also writes the event of dispatch/lapsed.sql. dispatch/publish_accepted.sql follows
    the two statements that it counts.
    """
    if name in TAKEOVERS:
        return _claim(_read(name) + b"), noted as (\n" + _read("dispatch/lapsed"))
    if name in CLAIMS:
        return _claim(_read(name))
    if name == "dispatch/publish_accepted":
        return (
            b"with recorded as (\n%breturning 1), published as (\n%b%breturning published_at)\n%b"
            % (
                _read("dispatch/record_acceptances"),
                _read("dispatch/publish"),
                b"  and (select count(*) from recorded) >= 0\n",
                _read(name),
            )
        )
    return _read(name)


@cache
def numbered(name: str) -> tuple[bytes, list[str]]:
    """Return a statement with $1, $2, … for its parameters, and their names in that order."""
    names = list(dict.fromkeys(match.decode() for match in _PARAMETER.findall(statement(name))))
    number = {parameter.encode(): b"$%d" % n for n, parameter in enumerate(names, start=1)}
    return _PARAMETER.sub(lambda match: number[match[1]], statement(name)), names


def _claim(text: bytes) -> bytes:
    return b"with claimed as (\n%b)\n%b" % (text, _read("dispatch/claimed"))


def _read(name: str) -> bytes:
    return files("dovecote.store").joinpath("sql", f"{name}.sql").read_bytes()
