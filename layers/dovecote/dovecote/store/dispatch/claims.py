"""Claim routes."""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any
from uuid import UUID

import psycopg
from psycopg.pq.abc import PGresult
from psycopg.rows import dict_row, tuple_row

from dovecote.core.channel_state import ChannelState
from dovecote.core.claim import Claim, Lease
from dovecote.dispatch.cursors import LaneCursors
from dovecote.dispatch.ports import Examined, LaneResult, Window
from dovecote.store.database import Database, Opened
from dovecote.store.dispatch.channel_state import channel_state_of
from dovecote.store.queries import Parameters, Queries, cursor

Row = tuple[Any, ...]

WINDOW = Window.__struct_fields__
"""The parameters of sql/dispatch/examine.sql that are arrays."""


class PostgresClaimed:
    """Claimed routes in PostgreSQL's binary format; the first thread that reads one decodes all.

    The connection is free for other statements meanwhile.
    """

    def __init__(self, cursor: psycopg.Cursor[Row], token: UUID) -> None:
        self._cursor = cursor
        self._token = token
        self._count = cursor.rowcount
        self._claims: list[Claim] | None = None

    @property
    def by_lane(self) -> Mapping[int, LaneResult]:
        """Return the count and the latest due time of each lane, without decoding the routes."""
        result = self._cursor.pgresult
        if result is None:
            return {}
        names = _names(result)
        lane, due = names.index(b"lane"), names.index(b"due")
        value: Callable[[int, int], Any] = result.get_value
        times: dict[bytes, list[bytes]] = {}
        for row in range(self._count):
            times.setdefault(value(row, lane), []).append(value(row, due))
        return {int.from_bytes(number): _lane_result(due) for number, due in times.items()}

    def __len__(self) -> int:
        """Return how many routes were claimed."""
        return self._count

    def __iter__(self) -> Iterator[Claim]:
        """Iterate over the claims."""
        if self._claims is None:
            result, token = self._cursor.pgresult, self._token
            fields = _fields([*_names(result), b"token"]) if result else tuple
            self._claims = [Claim(*fields((*row, token))) for row in self._cursor.fetchall()]
        return iter(self._claims)


class PostgresClaims(Queries):
    """Claims of due, lapsed and expired routes."""

    def __init__(self, database: Database, *, default_max_attempts: int) -> None:
        super().__init__(database)
        self._default_max_attempts = default_max_attempts

    def claim(
        self, channel: str, lanes: Mapping[int, int], lease: Lease, cursors: LaneCursors
    ) -> tuple[PostgresClaimed, ChannelState]:
        """Claim due routes, up to a limit in each lane, none of them due before its cursor.

        Also return the channel's state after the claim, in the same round trip.
        """
        parameters = {"limits": list(lanes.values()), **_from_cursors(list(lanes), cursors)}
        claimed, state = self._with_state(
            channel,
            lambda connection: self._execute(connection, "dispatch/claim", lease, parameters),
        )
        return PostgresClaimed(claimed, lease.token), state

    def find_due_lanes(
        self, channel: str, lanes: Sequence[int], cursors: LaneCursors
    ) -> tuple[set[int], ChannelState]:
        """Return which lanes have a route that a claim may take, none due before its cursor.

        Also return the channel's state, in the same round trip.
        """
        parameters = _from_cursors(lanes, cursors)
        found, state = self._with_state(
            channel,
            lambda connection: cursor(connection, "dispatch/find_due_lanes", parameters, tuple_row),
        )
        return {lane for (lane,) in found.fetchall()}, state

    def _with_state(
        self, channel: str, run: Callable[[Opened], psycopg.Cursor[Row]]
    ) -> tuple[psycopg.Cursor[Row], ChannelState]:
        """Run a statement; return its result and the channel's state after it."""

        def work(
            connection: Opened,
        ) -> tuple[psycopg.Cursor[Row], psycopg.Cursor[dict[str, Any]]]:
            with connection.pipeline():
                result = run(connection)
                state = cursor(
                    connection, "channel_state/channel_state", {"channel": channel}, dict_row
                )
            return result, state

        result, state = self.database.ask(work)
        return result, channel_state_of(channel, state.fetchall())

    def examine(self, windows: Sequence[Window], *, hold: float) -> Sequence[Examined]:
        """Look for routes whose lease and hold ran out; return a result for each window."""
        columns = {name: [getattr(window, name) for window in windows] for name in WINDOW}
        return self._all(Examined, "dispatch/examine", hold=hold, **columns)

    def claim_lapsed(
        self, route_ids: Sequence[UUID], lease: Lease, *, hold: float
    ) -> PostgresClaimed:
        """Claim the first of these routes whose lease and hold ran out."""
        return self._claim("dispatch/claim_lapsed", lease, route_ids=list(route_ids), hold=hold)

    def claim_expired(
        self, lanes: Sequence[int], lease: Lease, *, hold: float, limit: int
    ) -> PostgresClaimed:
        """Claim expired routes of these lanes, which the caller ends without a send."""
        return self._claim(
            "dispatch/claim_expired", lease, lanes=list(lanes), hold=hold, limit=limit
        )

    def _claim(self, name: str, lease: Lease, **parameters: object) -> PostgresClaimed:
        claimed = self.database.ask(
            lambda connection: self._execute(connection, name, lease, parameters)
        )
        return PostgresClaimed(claimed, lease.token)

    def _execute(
        self, connection: Opened, name: str, lease: Lease, parameters: Parameters
    ) -> psycopg.Cursor[Row]:
        given = {
            **parameters,
            "token": lease.token,
            "lease": lease.seconds,
            "default_max_attempts": self._default_max_attempts,
        }
        return cursor(connection, name, given, tuple_row, binary=True)


def _from_cursors(lanes: Sequence[int], cursors: LaneCursors) -> dict[str, object]:
    return {"lanes": list(lanes), "since": cursors.starts(lanes), "until": cursors.until}


def _names(result: PGresult) -> list[bytes | None]:
    return [result.fname(column) for column in range(result.nfields)]


def _fields(names: Sequence[bytes | None]) -> Callable[[Row], Row]:
    """Return a function that puts a row with these columns into the order of Claim's fields.

    It takes 0.3 us per route; keyword arguments would take 2 to 4 us.
    """
    return itemgetter(*(names.index(field.encode()) for field in Claim.__struct_fields__))


def _lane_result(due: Sequence[bytes]) -> LaneResult:
    """Return the result of a lane whose routes were due at these times, in binary float8."""
    times = struct.unpack(f">{len(due)}d", b"".join(due))
    return LaneResult(count=len(times), until=max(times))
