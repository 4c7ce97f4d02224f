"""The one place where an exception before a send becomes the failure of its route."""

from collections.abc import Callable
from typing import TypeVar

from dovecote.catalog import BadCatalog
from dovecote.model import Claim, Failed, Permanent
from dovecote.ports import StoreError

Made = TypeVar("Made")


class CannotBeSent(Exception):
    """A claim has nothing that can be sent; the message holds no value of it."""


def attempt(make: Callable[[Claim], Made], claim: Claim) -> Made | Permanent | Failed:
    """Return what `make` returns for a claim, or the failure that its exception is.

    No request was sent for the claim yet.

    Whatever a schema, a template or a channel raises is permanent: it would raise it again. Only a
    catalog that cannot be used is retried, since a deployment may mend it. Raises StoreError.
    """
    try:
        return make(claim)
    except StoreError:
        raise
    except BadCatalog as error:
        return Failed(error=str(error), asked=False)
    except CannotBeSent as error:
        return Permanent(error=str(error), asked=False)
    except Exception as error:  # noqa: BLE001 - one bad route never hurts its batch
        # Its words could repeat a value.
        return Permanent(error=f"cannot be sent: {type(error).__name__}", asked=False)
