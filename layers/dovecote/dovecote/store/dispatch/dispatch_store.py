"""The store that dispatch and submit's best effort deliver from."""

from dovecote.store.dispatch.acceptances import PostgresAcceptances
from dovecote.store.dispatch.channel_state import PostgresChannelStates
from dovecote.store.dispatch.claims import PostgresClaims
from dovecote.store.dispatch.results import PostgresResults


class PostgresDispatchStore(
    PostgresClaims, PostgresAcceptances, PostgresResults, PostgresChannelStates
):
    """Claims, acceptances, results and the state of channels, over one Database."""
