"""What the database is told for submits in SQL: the catalog, and the settings of routing."""

from collections.abc import Sequence

import msgspec

from dovecote.catalog.kinds import Catalog


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """A catalog, the version of it, whom mail may go to, and whether there is a push topic.

    `allowed` and `redirect` are those of a MailRule.
    """

    catalog: Catalog
    version: str
    allowed: Sequence[str] = ()
    redirect: str = ""
    topic: bool = False
