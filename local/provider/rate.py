"""The rate at which SES takes email from an account."""

from collections.abc import Callable


class SendRate:
    """A bucket of tokens, one for each email: `per_second` come in, and it holds a second's worth.

    SES counts recipients; Dovecote has one an email.
    """

    def __init__(self, per_second: float, clock: Callable[[], float]) -> None:
        self.per_second = per_second
        self._clock = clock
        # Less than one a second is a rate too, and needs room for one.
        self._room = max(1.0, per_second)
        self._tokens = self._room
        self._filled_at = clock()

    def admits(self) -> bool:
        """Take a token, if there is one."""
        now = self._clock()
        # A clock that was set back brings nothing and takes nothing.
        come_in = max(0.0, now - self._filled_at) * self.per_second
        self._tokens = min(self._room, self._tokens + come_in)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
