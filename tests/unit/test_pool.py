"""The pool: what overruns its time is neither lost nor charged to those behind it."""

import threading
import time
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from dovecote.channels.pool import Pool
from dovecote.model import Claim, Delivered, NotBegun, Outcome, Result
from tests.unit.examples import a_claim


def a_pool(workers: int = 1) -> Pool:
    return Pool(
        workers=workers,
        send_seconds=0.1,
        clock=time.monotonic,
        span=lambda _name, _traceparent: nullcontext(),
    )


def accepting_after(released: threading.Event) -> Callable[[Claim], Outcome]:
    def send(_claim: Claim) -> Outcome:
        assert released.wait(30)
        return Delivered(message_id="m-1")

    return send


def soon() -> float:
    return time.monotonic() + 0.1


def eventually(read: Callable[[], list[Any]]) -> list[Any]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = read()
        if found:
            return found
        time.sleep(0.01)
    return []


def test_a_send_that_overruns_is_left_out_and_told_later_once() -> None:
    released, claim, pool = threading.Event(), a_claim(), a_pool()
    assert pool.deliver(accepting_after(released), [claim], soon()) == {}
    assert pool.late() == []
    released.set()
    assert eventually(pool.late) == [Result(claim=claim, outcome=Delivered(message_id="m-1"))]
    assert pool.late() == []


def test_those_that_waited_behind_it_were_not_begun() -> None:
    released, pool = threading.Event(), a_pool()
    claims = [a_claim(route_id=uuid.uuid4()) for _ in range(3)]
    outcomes = pool.deliver(accepting_after(released), claims, soon())
    assert outcomes == {claim.route_id: NotBegun() for claim in claims[1:]}
    released.set()
