"""Failures by exceptions: the one place where an exception before a send fails its route.

Their texts are fit to be stored and logged: no recipient, no token, nothing of the payload.
"""

from collections.abc import Callable
from typing import TypeVar

from dovecote.catalog.errors import BadCatalog
from dovecote.core.claim import Claim
from dovecote.core.errors import CannotBeSent, StoreError
from dovecote.core.outcome import Failed, Permanent

Made = TypeVar("Made")


def attempt(make: Callable[[Claim], Made], claim: Claim) -> Made | Permanent | Failed:
    """Return what `make` returns for a claim, or its exception as a failure of the route.

    No request was sent for the claim yet. An exception of a schema, a template or a channel is
    permanent, since a retry would raise it again. A catalog that cannot be used is retried, since a
    deployment may correct it. Raises StoreError.
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
        # Its message could repeat a value.
        return Permanent(error=f"cannot be sent: {type(error).__name__}", asked=False)


def without_words(error: BaseException) -> str:
    """Return the type of an exception and the line that raised it: its words may hold a value."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is None:
        return type(error).__name__
    place = frame.tb_frame.f_code.co_filename.rpartition("/")[2]
    return f"{type(error).__name__} in {place}:{frame.tb_lineno}"
