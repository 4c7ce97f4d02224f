"""Dispatch: claim due routes, deliver them, finalise them, until none is left or time is up."""

from collections import Counter
from collections.abc import Callable, Sequence
from uuid import UUID

from dovecote import lanes
from dovecote.deliver import Deliver
from dovecote.finalise import Finaliser
from dovecote.model import Claim, Lease, Result
from dovecote.ports import Clock, Store, StoreError

LAPSED_SHARE = 0.2
"""The last part of a run, in which routes whose lease ran out go before fresh ones."""

FINALISE_SECONDS = 2.0
"""What is kept of the function's time to write down what happened."""

MARGIN_SECONDS = 0.5
"""What a function needs to return before it is ended."""

GIVEN_BACK = "given_back"
TALLY = ("claimed", "published", "retrying", "dead_lettered", GIVEN_BACK)

TimeLeft = Callable[[], float]
"""The seconds until the function is ended."""


class Dispatch:
    """One dispatcher; many may run side by side."""

    def __init__(
        self,
        *,
        store: Store,
        deliver: Deliver,
        finaliser: Finaliser,
        clock: Clock,
        new_id: Callable[[], UUID],
        batch_size: int,
        lease_seconds: float,
        send_seconds: float,
    ) -> None:
        self._store = store
        self._deliver = deliver
        self._finaliser = finaliser
        self._clock = clock
        self._new_id = new_id
        self._batch_size = batch_size
        self._lease_seconds = lease_seconds
        self._least = send_seconds + FINALISE_SECONDS

    def __call__(self, time_left: TimeLeft) -> dict[str, int]:
        """Run until nothing is due or the time left covers no send; return the tally."""
        tally = Counter(dict.fromkeys(TALLY, 0))
        last_part = max(time_left() * LAPSED_SHARE, 2 * self._least)
        while time_left() > self._least:
            leased_at = self._clock()
            last = time_left() <= last_part
            claims = self._claim(lapsed_first=last)
            if not claims:
                break
            tally["claimed"] += len(claims)
            ends = self._clock() + time_left()
            # A batch leaves the last part the time of one send.
            sent_by = ends - FINALISE_SECONDS - (0 if last else self._least)
            lapses = leased_at + self._lease_seconds
            self._finish(self._deliver(claims, deadline=min(lapses, sent_by)), ends, tally)
        return dict(tally)

    def _finish(self, results: Sequence[Result], ends: float, tally: Counter[str]) -> None:
        settled = self._finaliser.settle(self._store, results, until=ends - MARGIN_SECONDS)
        tally.update(route.status or GIVEN_BACK for route in settled)

    def _claim(self, *, lapsed_first: bool) -> list[Claim]:
        """Claim a batch of fresh routes, or one alone whose lease ran out.

        Lapsed ones come last: one that kills its worker burns its own attempts and nobody else's.
        But under a backlog that outlasts the run they come first in its last part, so that they
        move at all.
        """
        if lapsed_first:
            return self._lapsed() or self._fresh()
        return self._fresh() or self._lapsed()

    def _fresh(self) -> list[Claim]:
        """Claim a batch: each lane its share, then what is missing from those that had more."""
        lease = self._lease()
        claims: list[Claim] = []
        dry: set[int] = set()
        quotas = lanes.shares(self._batch_size)
        while quotas:
            try:
                got = self._store.claim(quotas, lease)
            except StoreError:
                if not claims:
                    raise
                break  # what is claimed already is not left to lapse
            claims += got
            counts = Counter(claim.lane for claim in got)
            dry |= {lane for lane, quota in quotas.items() if counts[lane] < quota}
            quotas = lanes.rest(self._batch_size - len(claims), dry)
        return claims

    def _lapsed(self) -> list[Claim]:
        claim = self._store.claim_lapsed(self._lease())
        return [] if claim is None else [claim]

    def _lease(self) -> Lease:
        return Lease(token=self._new_id(), seconds=self._lease_seconds)
