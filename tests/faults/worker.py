"""One run of a function in a process of its own, which can be killed or frozen at named points.

Processes are forked from a server that has everything imported, so that hundreds of them are
cheap; what must be there before Python starts (a library to preload) takes `python -m` instead.
"""

import json
import multiprocessing
import os
import random
import select
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psutil

from dovecote.core.channel_state import ChannelState
from dovecote.core.claim import Claim
from dovecote.core.notification import Stored
from dovecote.dispatch.ports import Claimed
from dovecote.store.dispatch.dispatch_store import PostgresInlineStore
from dovecote.wiring import clients, delivery
from tests.functions import Context, load

POINTS = {
    "dispatch": (
        "before claim", "after claim", "before send", "after acceptance", "before commit",
        "after commit",
    ),
    "submit": (
        "before store", "after store", "before send", "after acceptance", "before commit",
        "after commit",
    ),
}  # fmt: skip
"""The steps of a function, in their order."""

WITHOUT_FRAMEWORKS = {"NO_PROXY": "*", "PGGSSENCMODE": "disable"}
"""Keep a forked worker from libraries of macOS that must not be used after a fork."""

SAFE = frozenset({"before claim", "after claim", "before store", "after store", "after commit"})
"""Points at which no send is under way: with one batch to a run a death there costs no second."""


@dataclass(frozen=True, kw_only=True)
class Stop:
    """What happens at the nth time that a point is reached; `address` counts its sends alone."""

    point: str
    nth: int = 1
    number: int = signal.SIGKILL
    address: str = ""


@dataclass(frozen=True)
class Timed(Context):
    """Lambda's context of a run that ends."""

    ends: float = 0.0

    def get_remaining_time_in_millis(self) -> int:
        return int((self.ends - time.monotonic()) * 1000)


class Worker:
    """A run that was begun."""

    def __init__(self, process: BaseProcess, result: Path) -> None:
        self.process = process
        self._result = result

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    def ended(self, seconds: float = 100) -> int:
        """Wait for the end; return its code, negative for a signal."""
        self.process.join(seconds)
        assert self.process.exitcode is not None, "the worker did not end"
        return self.process.exitcode

    def answer(self, seconds: float = 100) -> Any:
        """Wait for a run that is to end well, and return its answer."""
        assert self.ended(seconds) == 0
        return json.loads(self._result.read_text())

    @property
    def answered(self) -> Any:
        """Return the answer, or None where it was killed before it had one."""
        with suppress(FileNotFoundError):
            return json.loads(self._result.read_text())
        return None

    @property
    def held(self) -> set[tuple[str, int]]:
        """Return what it claimed, by route and number of the claim; told of armed workers only."""
        with suppress(FileNotFoundError):
            lines = Path(f"{self._result}.claims").read_text().splitlines()
            return {(route_id, int(claims)) for route_id, claims in map(str.split, lines)}
        return set()

    def stopped(self) -> bool:
        """Tell whether it is frozen by SIGSTOP."""
        return psutil.Process(self.pid).status() == psutil.STATUS_STOPPED


class Nursery:
    """Begins workers in one environment; `directory` takes what they answer."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        # Its own, so that no worker is taken for one of another nursery that did answer.
        self._directory = Path(tempfile.mkdtemp(dir=directory))
        self.environment = {**environment, **WITHOUT_FRAMEWORKS}
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.faults.warm"])
        self._count = 0

    def begin(
        self,
        function: str = "dispatch",
        event: Any = None,
        *,
        stop: Stop | None = None,
        seconds: float = 60,
        **environment: str,
    ) -> Worker:
        """Begin one run of a function that has so many seconds."""
        self._count += 1
        result = self._directory / f"{self._count}.json"
        order = {
            "environment": {**self.environment, **environment},
            "function": function,
            "event": event or {},
            "stop": None if stop is None else asdict(stop),
            "seconds": seconds,
            "result": str(result),
        }
        process = self._context.Process(target=run, args=(order,), daemon=True)
        process.start()
        return Worker(process, result)


def run(order: Mapping[str, Any]) -> None:
    """Run a function as it was ordered, and write down its answer."""
    os.environ.update(order["environment"])
    log = os.open(f"{order['result']}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    random.seed()
    if order["stop"] is not None:
        _arm(Stop(**order["stop"]), f"{order['result']}.claims")
    ends = time.monotonic() + order["seconds"]
    answer = load(order["function"]).handler(order["event"], Timed(ends=ends))
    result = Path(order["result"])
    result.with_suffix(".part").write_text(json.dumps(answer))
    result.with_suffix(".part").rename(result)
    # What waits for a provider that stalls does not hold up the end of the process.
    os._exit(0)


def _arm(stop: Stop, held: str) -> None:
    """Put the stop where the function comes by, and note what it claims."""
    counts: Counter[str] = Counter()

    def at(point: str) -> None:
        counts[point] += 1
        if point == stop.point and counts[point] == stop.nth:
            os.kill(os.getpid(), stop.number)

    def before_send(request: Any, **_: Any) -> None:
        if stop.address.encode() in (request.body or b""):
            at("before send")

    store, submissions = delivery.dispatch_store(), delivery.submissions()
    claims = os.open(held, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for owner, name in ((store, "claim"), (store, "claim_lapsed"), (submissions, "submit")):
        setattr(owner, name, _noted(getattr(owner, name), claims))
    for owner, name, point in ((store, "claim", "claim"), (submissions, "submit", "store")):
        setattr(owner, name, _around(getattr(owner, name), at, point))
    _arm_commits(store, at)
    _arm_commits(PostgresInlineStore, at)  # submit makes one for each best effort
    events = clients.session().events
    for call in ("sesv2.SendEmail", "sesv2.SendBulkEmail", "sns.Publish"):
        events.register(f"before-send.{call}", before_send)
        events.register(f"after-call.{call}", lambda **_: at("after acceptance"))


def _arm_commits(owner: Any, at: Any) -> None:
    owner.transaction = _committing(owner.transaction, at)
    owner.publish = _around(owner.publish, at, "commit")


def _noted(call: Any, file: int) -> Any:
    def wrapped(*arguments: Any, **named: Any) -> Any:
        answer = call(*arguments, **named)
        for claim in _claims_of(answer):
            os.write(file, f"{claim.route_id} {claim.claims}\n".encode())
        return answer

    return wrapped


def _claims_of(answer: tuple[Claimed, ChannelState] | Claimed | Stored | None) -> Sequence[Claim]:
    if isinstance(answer, Stored):
        return answer.claims
    if isinstance(answer, tuple):
        return answer[0]
    return answer or []


def _around(call: Any, at: Any, point: str) -> Any:
    def wrapped(*arguments: Any, **named: Any) -> Any:
        at(f"before {point}")
        answer = call(*arguments, **named)
        if answer[0] if isinstance(answer, tuple) else answer:
            at(f"after {point}")
        return answer

    return wrapped


def _committing(call: Any, at: Any) -> Any:
    @contextmanager
    def wrapped(*arguments: Any) -> Iterator[Any]:
        with call(*arguments) as transaction:
            yield transaction
            at("before commit")
        at("after commit")

    return wrapped


def _slept(seconds: float) -> None:
    """Wait by select: libfaketime refuses the absolute time that time.sleep waits for."""
    select.select([], [], [], seconds)


if __name__ == "__main__":
    if "FAKETIME" in os.environ:
        time.sleep = _slept
    run(json.loads(sys.argv[1]))
