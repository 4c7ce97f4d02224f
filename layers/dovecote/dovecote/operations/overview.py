"""The overview: due, stuck and paused routes, dead letters and the last hour."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from dovecote.core.errors import ANSWER_SECONDS
from dovecote.core.ports import TimeLimits

MOST = 10_000
"""Counts stop here: this number means this many or more."""

Row = Mapping[str, Any]
"""A row of counts, by the names that aws/openapi.yaml describes."""


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """The state of all deliveries; every count except those of the minutes stops at `counted_to`.

    `live` has the live routes of each channel and status. `due` ones are claimable, claimed, or
    behind a pause; `in_flight` ones are claimed; `lapsed` ones have an expired lease, and no worker
    has claimed them since. `paused` has each resource through which no worker sends before `until`,
    and how many routes wait behind the pause. `minutes` has the events of each minute from `at`,
    where dispatch retries `failed` attempts. A route that the provider rejected after its
    acceptance counts as published and as dead-lettered, each in its minute.
    """

    counted_to: int
    live: Sequence[Row]
    paused: Sequence[Row]
    dead_letters: Sequence[Row]
    minutes: Sequence[Row]


def read_overview(read: Callable[[int], Overview], limits: TimeLimits) -> Overview:
    """Return the overview, which `read` counts up to a number; may raise StoreError."""
    with limits.within(ANSWER_SECONDS):
        return read(MOST)
