"""Errors of the catalog, and of payloads that do not match it."""


class BadCatalog(Exception):
    """The catalog cannot be used; the message names file and line or key."""


class PayloadRefused(Exception):
    """A payload that its kind's schema does not take: where, as a path, and why.

    `rule` says it for logs: the keyword that it breaks, and of the path what the schema names.
    """

    def __init__(self, path: list[str | int], detail: str, rule: str) -> None:
        super().__init__(rule)
        self.path = path
        self.detail = detail
        self.rule = rule
