"""The limits of each operation, in blocks of a unit."""

from collections.abc import Iterator, Mapping

from bench.year.limits import Kind, Rule

IDLE, ANALYZED = " in a burst after an idle period", " in a burst after ANALYZE"
REDRIVEN = " after old routes were redriven"
BEGINS, IS_OLD = " when a snapshot begins", " when a snapshot is old"

LIMITS: Mapping[Kind, Mapping[str, float]] = {
    "flat": {
        "GET devices": 10,
        "find by user with 20,000 routes": 1_000,
        "dead letters of a kind and channel": 100,
        "dead letters of a kind and channel without a match": 100,
        "claim, a few due": 60,
        "find due lanes, a few due": 150,
        "find lapsed leases, a few due": 150,
        "delete a device of a user with 20,000 routes": 200,
    },
    "logarithmic": {
        "GET a notification": 60,
        "find by user": 500,
        "find by address": 500,
        "submit": 60,
        "deliver an email or push": 100,
        "feedback event": 100,
    },
    "linear": {
        "redrive, a route": 80,
        "release a suppression, a route of 20,000": 10,
        "erase 2,000 routes, a route": 100,
        "purge, a notification": 150,
        "remove payloads, a notification": 100,
    },
    # It reads the entries that the purge before it deleted, since no vacuum came in between.
    "bounded": {"purge with nothing left": 500},
}

QUEUE: Mapping[str, tuple[Kind, float]] = {
    "overview": ("bounded", 20_000),
    "gauges": ("logarithmic", 600),
    "backlog": ("bounded", 6_000),
    "claim of expired routes": ("flat", 30),
}
"""Reads of the queue: the gauges probe each lane, overview and backlog count some thousand rows."""

BURST: Mapping[str, float] = {"claim": 20, "deliver": 50}
LOOKS: Mapping[str, float] = {"find due lanes": 1, "find lapsed leases": 1}
"""The parts of a delivery in a burst. How often dispatch looks depends on time, not on plans."""

SNAPSHOT: Mapping[str, float] = {
    "claim": 800, "find due lanes": 200, "find lapsed leases": 200, "gauges": 600,
}  # fmt: skip
"""The statements of a run with 195 due routes, as a snapshot begins."""


def _rules() -> Iterator[tuple[str, Rule]]:
    for kind, limits in LIMITS.items():
        for operation, most in limits.items():
            yield operation, Rule(kind=kind, most=most)
    erased = "erase 2,000 routes, a route"
    yield "erase 20,000 routes, a route", Rule(kind="linear", most=100, compared_to=erased)
    for operation, (kind, most) in QUEUE.items():
        for when in ("", REDRIVEN, IDLE, ANALYZED):
            yield f"{operation}{when}", Rule(kind=kind, most=most)
    for operation, most in LOOKS.items():
        for when in (IDLE, ANALYZED):
            yield f"{operation}{when}, a route", Rule(kind="bounded", most=most)
    yield from _pairs(BURST, f"{ANALYZED}, a route", f"{IDLE}, a route", "linear", 1.2)
    yield from _pairs(SNAPSHOT, BEGINS, IS_OLD, "flat", 3)


def _pairs(
    limits: Mapping[str, float], good: str, bad: str, kind: Kind, times: float
) -> Iterator[tuple[str, Rule]]:
    """Yield the limits of operations in a good case, and in a bad case compared with it."""
    for operation, most in limits.items():
        compared = f"{operation}{good}"
        yield compared, Rule(kind=kind, most=most)
        yield (
            f"{operation}{bad}",
            Rule(kind="bounded", most=times * most, compared_to=compared, times=times),
        )


RULES: Mapping[str, Rule] = dict(_rules())
