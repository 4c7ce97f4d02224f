"""The state of channels and their resources, which all workers share."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from dovecote.core.channel_state import ChannelState, Congested, Pause, SendSlots, Throttling
from dovecote.store.queries import Queries, named_rows

SLOTS = SendSlots.__struct_fields__
"""The columns of reserved sends."""

NOT_CONGESTED = Congested(pace=0, accepted_share=1, probing=False, since=None)


class PostgresChannelStates(Queries):
    """State, pace, pauses and probes of channels."""

    def channel_state(self, channel: str) -> ChannelState:
        """Return the state of a channel and its resources."""
        found = self._rows("channel_state/channel_state", channel=channel)
        return channel_state_of(channel, found)

    def reserve(self, channel: str, wanted: int, horizon: float) -> SendSlots:
        """Reserve the next sends of a channel that begin within `horizon` seconds."""
        reserved = self._one(
            SendSlots, "channel_state/reserve", channel=channel, wanted=wanted, horizon=horizon
        )
        return reserved or SendSlots(room=wanted)

    def ready(self, channel: str, wanted: int, horizon: float) -> tuple[ChannelState, SendSlots]:
        """Return the state of a channel, and reserve sends as `reserve` does unless it is paused.

        The state does not say whether routes wait.
        """
        parameters = {"channel": channel, "wanted": wanted, "horizon": horizon}
        found = self.database.ask(
            lambda connection: named_rows(connection, "channel_state/ready", parameters)
        )
        slots = [{name: row[name] for name in SLOTS} for row in found if row["room"] is not None]
        return channel_state_of(channel, found), SendSlots(**(slots or [{"room": wanted}])[0])

    def release_slots(self, channel: str, slots: SendSlots, unused: int) -> None:
        """Give back the last of the reserved sends."""
        self._count(
            "channel_state/release_slots",
            channel=channel,
            slots=slots.slots,
            seconds=unused * slots.spacing,
        )

    def set_rate(self, channel: str, rate: float | None) -> None:
        """Set the sends per second of a channel; None keeps the last known rate."""
        self._count("channel_state/set_rate", channel=channel, rate=rate)

    def pause(
        self,
        resource: str,
        error: str,
        *,
        base: float,
        most: float,
        jitter: float,
        longer: bool = True,
    ) -> Pause | None:
        """Pause a resource for all workers; return None if it is already paused."""
        return self._one(
            Pause,
            "channel_state/pause",
            resource=resource,
            channel=_channel(resource),
            error=error,
            base=base,
            most=most,
            jitter=jitter,
            longer=longer,
        )

    def acquire_probe(self, resource: str, seconds: float) -> bool:
        """Take the right to probe a resource after its pause."""
        return bool(self._rows("channel_state/acquire_probe", resource=resource, seconds=seconds))

    def release_probe(self, resource: str) -> None:
        """Give the right to probe a resource back."""
        self._count("channel_state/release_probe", resource=resource)

    def resume(self, resource: str, *, accepted: bool = False) -> bool:
        """End the trouble of a resource; return False if it is paused again."""
        return bool(self._rows("channel_state/resume", resource=resource, accepted=accepted))

    def record_refusals(self, resource: str, refused: Sequence[UUID], *, proven: bool) -> None:
        """Record routes that were refused in a row; `proven` if others were accepted."""
        self._count(
            "channel_state/record_refusals",
            resource=resource,
            channel=_channel(resource),
            refused=list(refused),
            proven=proven,
        )

    def record_throttling(
        self, channel: str, counts: Mapping[str, int], congested: Congested | None
    ) -> float | None:
        """Count answers for all workers; on congestion, lower the pace and return it."""
        found = self._rows(
            "channel_state/record_throttling",
            channel=channel,
            congested=congested is not None,
            **counts,
            **msgspec.structs.asdict(congested or NOT_CONGESTED),
        )
        return found[0]["slowed_to"] if found else None

    def record_failures(self, channel: str, *, unreached: int, unanswered: Sequence[UUID]) -> None:
        """Count failures in a row on a channel."""
        self._count(
            "channel_state/record_failures",
            channel=channel,
            unreached=unreached,
            unanswered=list(unanswered),
        )


def channel_state_of(channel: str, rows: Sequence[Mapping[str, Any]]) -> ChannelState:
    """Return the state of a channel from the rows of sql/channel_state/channel_state.sql."""
    whole = next(row for row in rows if row["resource"] == channel)
    return ChannelState(
        channel=channel,
        at=whole["at"],
        paused=frozenset(row["resource"] for row in rows if row["paused"]),
        recovering=frozenset(row["resource"] for row in rows if row["recovering"]),
        unreached=whole["unreached"],
        unanswered=frozenset(whole["unanswered"]),
        paused_for=whole["paused_for"],
        rate=whole["rate"],
        rate_is_old=whole["rate_is_old"],
        throttling=Throttling(
            requests=whole["throttled_requests"],
            entries=whole["throttled_entries"],
            limited=whole["limited"],
            probing=whole["limited"] and whole["probing"],
            since=whole["slowed_at"],
        ),
        refused={row["resource"]: frozenset(row["refused"]) for row in rows if row["refused"]},
        proven=frozenset(row["resource"] for row in rows if row["proven"]),
        awaited_for=min(
            (row["awaited_for"] for row in rows if row["awaited_for"] is not None), default=None
        ),
    )


def _channel(resource: str) -> str:
    """Return the channel of a resource, which is named `channel` or `channel/…`."""
    return resource.partition("/")[0]
