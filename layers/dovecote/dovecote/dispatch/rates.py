"""Keep the rate at which each channel may send: the setting's, or what the provider says."""

from collections.abc import Mapping

from dovecote.channels.base import AnyChannel
from dovecote.core.channel_state import ChannelState
from dovecote.core.errors import ProviderUnavailable
from dovecote.core.ports import Log
from dovecote.dispatch.ports import SendRates


class Rates:
    """The rates of channels, shared by all workers through the store."""

    def __init__(self, *, store: SendRates, channels: Mapping[str, AnyChannel], log: Log) -> None:
        self._store = store
        self._channels = channels
        self._log = log

    def of(self, channel_state: ChannelState) -> float | None:
        """Return the sends per second of a channel, None for no limit.

        A provider is asked again when its last answer is old.
        """
        channel = self._channels[channel_state.channel]
        if channel.rate_from_provider:
            return self._from_provider(channel, channel_state)
        rate = channel.rate()
        if rate is not None and rate != channel_state.rate:
            self._store.set_rate(channel_state.channel, rate)
        return rate

    def _from_provider(self, channel: AnyChannel, channel_state: ChannelState) -> float | None:
        if not channel_state.rate_is_old:
            return channel_state.rate
        rate = self._asked(channel)
        self._store.set_rate(channel_state.channel, rate)
        return channel_state.rate if rate is None else rate

    def _asked(self, channel: AnyChannel) -> float | None:
        try:
            return channel.rate()
        except ProviderUnavailable as error:
            self._log.warning("sending rate not known", error=str(error))
            return None
