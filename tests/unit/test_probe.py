"""Which routes probe a resource: of different kinds, recipients and ages."""

import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Any

from dovecote.core.claim import Claim
from dovecote.dispatch.sending.circuit_breaker import PROBES
from dovecote.dispatch.sending.probe import probes_first, spread
from tests.unit.examples import a_claim

SHOP, NEWS = "email/shop.example", "email/news.example"


def claims(count: int, **changes: Any) -> list[Claim]:
    return [a_claim(route_id=uuid.uuid4(), **changes) for _ in range(count)]


def by_kind(claim: Claim) -> Sequence[str]:
    return "email", SHOP if claim.kind == "shop" else NEWS


def test_probes_are_spread_from_the_oldest_to_the_newest() -> None:
    own = claims(60)
    assert [own.index(one) for one in spread(own, 4)] == [0, 20, 39, 59]
    assert spread(own[:3], 4) == own[:3]
    assert spread(own, 1) == own[:1]
    assert spread([], 4) == []


def test_each_kind_has_a_probe_before_any_has_two() -> None:
    own = [*claims(50, kind="a"), *claims(1, kind="b"), *claims(9, kind="c")]
    assert Counter(one.kind for one in spread(own, 4)) == {"a": 2, "b": 1, "c": 1}
    many = [one for n in range(20) for one in claims(1, kind=str(n))]
    assert [one.kind for one in spread(many, 4)] == ["0", "6", "13", "19"]


def test_probes_of_a_kind_are_spread_over_domains() -> None:
    own = [
        *claims(10, address="ann@a.example"),
        *claims(10, address="bob@b.example"),
    ]
    mixed = [own[n // 2 + n % 2 * 10] for n in range(20)]
    assert {one.address for one in spread(mixed, 2)} == {"ann@a.example", "bob@b.example"}


def test_a_route_that_was_refused_comes_after_those_that_were_not() -> None:
    known, again, twice = (
        claims(5, own_refusal=True), claims(1, refusals=1), claims(5, refusals=2),
    )  # fmt: skip
    fresh = claims(2)
    assert spread([*known, *twice, *again, *fresh], 4)[:3] == [*fresh, *again]
    assert spread([*known, *twice, *again, *fresh], 4)[3] in twice


def test_probes_go_before_the_others_which_keep_their_order() -> None:
    shop, news = claims(20, kind="shop"), claims(20, kind="news")
    ordered = probes_first([*news, *shop], by_kind, {SHOP})
    assert {one.kind for one in ordered[:PROBES]} == {"shop"}
    rest = [one for one in [*news, *shop] if one not in ordered[:PROBES]]
    assert ordered[PROBES:] == rest
