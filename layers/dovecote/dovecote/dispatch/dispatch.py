"""Dispatch: claim due routes, deliver them, finalise them, until none is left or time is up.

Each channel has its own worker, so that a slow, paced or paused channel delays no other.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from msgspec import Struct, field

from dovecote.channels import NAMES
from dovecote.dispatch.batch import MOST
from dovecote.dispatch.channel_worker import INTERRUPTED, ChannelWorker
from dovecote.dispatch.claiming import ChannelCursors
from dovecote.dispatch.planned import GIVEN_BACK
from dovecote.dispatch.services import Services, TimeLeft

TALLY = (
    "claimed", "published", "retrying", "dead_lettered", "skipped", GIVEN_BACK, INTERRUPTED,
)  # fmt: skip


def _cursors() -> Mapping[str, ChannelCursors]:
    return {channel: ChannelCursors() for channel in NAMES}


class Dispatch(Struct):
    """One dispatcher; many may run at the same time. Its cursors outlast a run."""

    services: Services
    cursors: Mapping[str, ChannelCursors] = field(default_factory=_cursors)

    def __call__(self, time_left: TimeLeft) -> dict[str, int]:
        """Run until nothing is due or the time left covers no send; return the tally.

        A store that is out of reach ends the run, and the tally says so.
        """
        with (
            ThreadPoolExecutor(max_workers=len(NAMES)) as executor,
            ThreadPoolExecutor(max_workers=len(NAMES) * MOST) as batches,
        ):
            last_part = self.services.timing.last_part(time_left())
            workers = [
                ChannelWorker(self.services, channel, time_left, last_part, batches, cursors)
                for channel, cursors in self.cursors.items()
            ]
            runs = [executor.submit(copy_context().run, worker.run) for worker in workers]
            tallies = [run.result() for run in runs]
        return {name: sum(tally[name] for tally in tallies) for name in TALLY}
