"""Keep the rate at which a channel may send: the setting's, or what the provider says."""

from collections.abc import Callable

from dovecote.model import Channel, Standing
from dovecote.ports import Log, ProviderUnavailable, Store

Ask = Callable[[], float]
"""Asks the provider for its sends a second; raises ProviderUnavailable."""


class Rates:
    """The rate of the email account; push has none that SNS would tell."""

    def __init__(self, *, store: Store, fixed: float | None, ask: Ask, log: Log) -> None:
        self._store = store
        self._fixed = fixed
        self._ask = ask
        self._log = log

    def of(self, standing: Standing) -> float | None:
        """Return the sends a second of a channel, asked for anew where that is long ago."""
        if standing.channel != Channel.EMAIL:
            return None
        if self._fixed is not None:
            if standing.rate != self._fixed:
                self._store.set_rate(standing.channel, self._fixed)
            return self._fixed
        if not standing.rate_is_old:
            return standing.rate
        rate = self._asked()
        self._store.set_rate(standing.channel, rate)
        return standing.rate if rate is None else rate

    def _asked(self) -> float | None:
        try:
            return self._ask()
        except ProviderUnavailable as error:
            self._log.warning("sending rate not known", error=str(error))
            return None
