"""Who may call dispatch, and how much work waits for further dispatchers."""

from collections.abc import Sequence

from dovecote.channels import lanes
from dovecote.core.channel_state import Backlog
from dovecote.store.queries import Queries


class PostgresWakeUps(Queries):
    """The right to call dispatch, at most once a second for the whole stack."""

    def wake_up(self, channels: Sequence[str]) -> bool:
        """Take the right to call dispatch for a second; not if all these channels are paused."""
        return bool(self._rows("dispatch/wake_up", channels=list(channels)))

    def hold_wake_up(self, seconds: float) -> None:
        """Let no caller take that right for so many seconds."""
        self._count("dispatch/hold_wake_up", seconds=seconds)


class PostgresBacklogs(Queries):
    """The due routes of each channel."""

    def backlog(self, most: int) -> list[Backlog]:
        """Return the backlog of each channel that is not paused, counted up to `most`."""
        found = self._rows(
            "dispatch/backlog",
            channels=[lane.channel for lane in lanes.ALL],
            lanes=[lane.number for lane in lanes.ALL],
            most=most,
        )
        return [Backlog(**row) for row in found]
