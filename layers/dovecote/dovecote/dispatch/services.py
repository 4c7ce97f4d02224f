"""The collaborators that the workers of a dispatcher share."""

from collections.abc import Callable, Mapping
from uuid import UUID

from msgspec import Struct

from dovecote.channels.base import AnyChannel
from dovecote.core.backoff import Random
from dovecote.core.ports import Clock, Log, Sleep
from dovecote.dispatch.deliver import Deliver
from dovecote.dispatch.finalise import Finaliser
from dovecote.dispatch.ports import DispatchStore
from dovecote.dispatch.rates import Rates
from dovecote.dispatch.timing import Timing


class Services(Struct, frozen=True, kw_only=True):
    """The collaborators of dispatch, each thread-safe."""

    store: DispatchStore
    channels: Mapping[str, AnyChannel]
    deliver: Deliver
    finaliser: Finaliser
    rates: Rates
    clock: Clock
    sleep: Sleep
    random: Random
    log: Log
    new_id: Callable[[], UUID]
    timing: Timing
