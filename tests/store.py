"""The store that tests prepare and inspect their databases with."""

from contextlib import AbstractContextManager

from dovecote.store.database import Database
from dovecote.store.dispatch.dispatch_store import PostgresDispatchStore
from dovecote.store.feedback import PostgresFeedback
from dovecote.store.operations.notifications import PostgresStories
from dovecote.store.operations.overview import PostgresOverview
from dovecote.store.person_hash import PersonHash
from dovecote.store.queries import Queries
from dovecote.store.submit.submissions import PostgresSubmissions

HASHES = PersonHash("canary: the key of tests, which no log has")


class Store(
    PostgresSubmissions,
    PostgresStories,
    PostgresDispatchStore,
    PostgresFeedback,
    PostgresOverview,
):
    """The classes of the store that most tests use, in one object, with its database's limits."""

    def __init__(self, database: Database, *, default_max_attempts: int) -> None:
        Queries.__init__(self, database)
        self._hashes = HASHES
        self._default_max_attempts = default_max_attempts

    def within(self, seconds: float) -> AbstractContextManager[None]:
        return self.database.within(seconds)

    def spending(self, seconds: float) -> AbstractContextManager[None]:
        return self.database.spending(seconds)
