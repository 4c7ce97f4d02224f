"""Keep the rate at which a channel may send: the setting's, or what the provider says."""

from collections.abc import Callable

from dovecote.core.channel_state import ChannelState
from dovecote.core.errors import ProviderUnavailable
from dovecote.core.ports import Log
from dovecote.core.route import Channel
from dovecote.dispatch.ports import SendRates

Ask = Callable[[], float]
"""Asks the provider for its sends a second; raises ProviderUnavailable."""


class Rates:
    """The rate of the email account; push has none that SNS would tell."""

    def __init__(self, *, store: SendRates, fixed: float | None, ask: Ask, log: Log) -> None:
        self._store = store
        self._fixed = fixed
        self._ask = ask
        self._log = log

    def of(self, channel_state: ChannelState) -> float | None:
        """Return the sends a second of a channel, asked for anew where that is long ago."""
        if channel_state.channel != Channel.EMAIL:
            return None
        if self._fixed is not None:
            if channel_state.rate != self._fixed:
                self._store.set_rate(channel_state.channel, self._fixed)
            return self._fixed
        if not channel_state.rate_is_old:
            return channel_state.rate
        rate = self._asked()
        self._store.set_rate(channel_state.channel, rate)
        return channel_state.rate if rate is None else rate

    def _asked(self) -> float | None:
        try:
            return self._ask()
        except ProviderUnavailable as error:
            self._log.warning("sending rate not known", error=str(error))
            return None
