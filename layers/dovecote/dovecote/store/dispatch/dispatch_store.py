"""The store that dispatch, and submit's best effort, deliver from."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from dovecote.channels import lanes
from dovecote.core.channel_state import Backlog
from dovecote.dispatch.cursors import LaneCursors
from dovecote.store.database import Database
from dovecote.store.dispatch.channel_state import PostgresChannelStates
from dovecote.store.dispatch.claims import PostgresClaims
from dovecote.store.dispatch.results import PostgresResults


class PostgresDispatchStore(PostgresClaims, PostgresResults, PostgresChannelStates):
    """Claims, results and the state of channels, over one Database; and who may call dispatch."""

    def wake_up(self, channels: Sequence[str]) -> bool:
        """Take the right to call dispatch for a second; not if all these channels are paused.

        One caller in the whole stack has this right at a time.
        """
        return bool(self._rows("dispatch/wake_up", channels=list(channels)))

    def hold_wake_up(self, seconds: float) -> None:
        """Let no caller take that right for so many seconds."""
        self._count("dispatch/hold_wake_up", seconds=seconds)

    def backlog(self, most: int, cursors: LaneCursors | None = None) -> list[Backlog]:
        """Return the backlog of each channel that is not paused, counted up to `most`.

        Routes that are due before their lane's cursor are not counted.
        """
        cursors = cursors or LaneCursors()
        numbers = [lane.number for lane in lanes.ALL]
        return self._all(
            Backlog,
            "dispatch/backlog",
            channels=[lane.channel for lane in lanes.ALL],
            lanes=numbers,
            since=cursors.starts(numbers),
            until=cursors.until,
            most=most,
        )


class PostgresInlineStore(PostgresResults, PostgresChannelStates):
    """The results and channel states of one best effort, and what it published."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._published: dict[UUID, tuple[str, datetime]] = {}

    @property
    def published(self) -> Mapping[UUID, tuple[str, datetime]]:
        """Return the message id and the time of publishing of each route that was published.

        A statement that published only some of its routes is left out.
        """
        return self._published

    def publish(
        self,
        token: UUID,
        message_ids: Mapping[UUID, str],
        acceptances: Mapping[UUID, str],
    ) -> int:
        """Publish routes as the base does, and keep what was published."""
        count, at = self._publish(token, message_ids, acceptances)
        if at is not None and count == len(message_ids):
            self._published |= {route_id: (one, at) for route_id, one in message_ids.items()}
        return count
