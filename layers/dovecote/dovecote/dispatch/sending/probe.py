"""Choose the routes of a probe: different kinds, recipients and ages, so that some may be accepted.

Pure. A route that was refused before comes after those that were not.
"""

from collections.abc import Callable, Collection, Sequence
from itertools import groupby, zip_longest
from typing import TypeVar
from uuid import UUID

from dovecote.core.claim import Claim
from dovecote.dispatch.sending.circuit_breaker import PROBES

T = TypeVar("T")


def probes_first(
    claims: Sequence[Claim], resources: Callable[[Claim], Sequence[str]], probed: Collection[str]
) -> list[Claim]:
    """Return claims in their order, but the routes that probe each resource before all others."""
    first: dict[UUID, Claim] = {}
    for resource in sorted(probed):
        own = [claim for claim in claims if resource in resources(claim)]
        first |= {claim.route_id: claim for claim in spread(own, PROBES)}
    return [*first.values(), *(claim for claim in claims if claim.route_id not in first)]


def spread(claims: Sequence[Claim], most: int) -> list[Claim]:
    """Return so many claims at most, one of each kind before a second one of any."""
    chosen: list[Claim] = []
    for _, alike in groupby(sorted(claims, key=_suspicion), key=_suspicion):
        chosen += _spread_over_kinds(list(alike), most - len(chosen))
    return chosen


def _suspicion(claim: Claim) -> tuple[bool, int]:
    return claim.own_refusal, claim.refusals


def _spread_over_kinds(claims: Sequence[Claim], most: int) -> list[Claim]:
    by_kind: dict[str, list[Claim]] = {}
    for claim in claims:
        by_kind.setdefault(claim.kind, []).append(claim)
    kinds = _evenly(list(by_kind.values()), most)
    each = [_evenly(sorted(kind, key=_recipient), most) for kind in kinds]
    turns = zip_longest(*each)
    return [claim for turn in turns for claim in turn if claim is not None][:most]


def _recipient(claim: Claim) -> tuple[str, str]:
    """Return what recipients that a policy denies may share, the widest first."""
    address = claim.address or claim.user_id or ""
    return address.rpartition("@")[2], address


def _evenly(values: Sequence[T], most: int) -> list[T]:
    """Return so many values at most, at equal distances, the first and the last among them."""
    if len(values) <= most:
        return list(values)
    if most <= 1:
        return list(values[:most])
    last = len(values) - 1
    return [values[round(place * last / (most - 1))] for place in range(most)]
