"""Errors of the store and of providers.

StoreError
  StoreUnavailable   out of reach, or no answer in time
    StoreSlow        one statement took too long; it may take others
  StoreBusy          another transaction holds what this one waits for
  StoreFailed        it refused the statement; the transaction is rolled back
"""

ANSWER_SECONDS = 4.5
"""How long a request may wait for the store in all: one out of reach is a 503 within 5 s."""


class StoreError(Exception):
    """The store could not do what it was asked."""


class StoreUnavailable(StoreError):
    """The database is out of reach, or did not answer in time."""


class StoreSlow(StoreUnavailable):
    """The database ended a statement that took too long."""


class StoreBusy(StoreError):
    """Another transaction holds what this one waits for."""


class StoreFailed(StoreError):
    """The database refused the statement; the transaction is rolled back."""


class ProviderUnavailable(Exception):
    """The provider is out of reach; nothing is known to have changed there."""


class TokenRefused(Exception):
    """The provider refuses a device's token, or has no application for its platform."""


class UserErased(Exception):
    """The user was erased: nothing may be stored for the user."""


class CannotBeSent(Exception):
    """A claim holds nothing that can be sent; the message repeats no value of the claim."""
