"""The limit of the work that the checks of one notification may take."""

from dovecote.core.ports import Clock
from dovecote.core.problems import TooLarge

MOST_BYTES = 2 * 1024 * 1024
"""How much of a payload the checks of one notification read in total."""

MOST_SECONDS = 5.0
"""How long the checks may take: some rules are slower than their sizes suggest."""

_TOO_MUCH = (
    "The payload must be checked again for each recipient with data and for each language; together"
    " that is more than {}. Send a smaller payload, or fewer recipients in one notification."
)


class WorkLimit:
    """Counts the bytes that the checks read, and their time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ends = clock() + MOST_SECONDS
        self._left = MOST_BYTES

    def spend(self, size: int) -> None:
        """Count a check before it is made; raise TooLarge past the limits."""
        self._left -= size
        if self._left < 0:
            raise TooLarge(_TOO_MUCH.format(f"{MOST_BYTES // 1024**2} MiB"))
        if self._clock() > self._ends:
            raise TooLarge(_TOO_MUCH.format(f"{MOST_SECONDS:g} seconds of work"))
