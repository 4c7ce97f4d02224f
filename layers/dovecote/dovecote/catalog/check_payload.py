"""Hold the payload of a claim against its kind's schema, where a submit in SQL could not."""

from dovecote.catalog.kinds import Catalog, PayloadRefused
from dovecote.catalog.rendering import variables
from dovecote.core.claim import Claim
from dovecote.core.notification import MAX_PAYLOAD_BYTES
from dovecote.core.parsing import strict_json


class CheckPayload:
    """Say why a claim's payload cannot be sent, or nothing."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def __call__(self, claim: Claim) -> str | None:
        """Return why its kind does not take what a claim says: the rule, and where.

        A kind that is not in the catalog is not judged: the channel says that of all claims. Raises
        whatever the schema raises that cannot cope with a value.
        """
        kind = self._catalog.get(claim.kind)
        if kind is None:
            return None
        payload = variables(claim)
        if claim.data and len(strict_json.text(payload).encode()) > MAX_PAYLOAD_BYTES:
            return "payload is larger than 64 KiB with the recipient's data"
        try:
            kind.check(payload)
        except PayloadRefused as refused:
            return f"payload{refused.rule}"
        return None
