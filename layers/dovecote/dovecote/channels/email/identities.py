"""Read the identities that SES lists as not verified."""

import re
from collections.abc import Collection
from email.utils import parseaddr

_LIST = re.compile(r"identit(?:y|ies) failed the check in region [^:]{0,40}:(.*)", re.I | re.S)
_ITEM = re.compile(r'(?:"(?:\\.|[^"\\])*"|<[^<>]*>|[^,])+')
_IN_BRACKETS = re.compile(r"<([^<>]*)>\s*$")


def only_recipients_failed(words: str, sender: str, recipients: Collection[str]) -> bool:
    """Tell whether a message lists recipients and nothing else.

    The sender's identity may be its address or its domain. An identity of neither side, or a
    list that is cut off, counts as the sender's: then no message is lost.
    """
    names = listed(words)
    if not names or names & _names(parseaddr(sender)[1]):
        return False
    return names <= frozenset().union(*map(_names, recipients))


def listed(words: str) -> frozenset[str]:
    """Return the identities that a message lists: addresses and domains in lower case."""
    found = _LIST.search(words)
    if found is None:
        return frozenset()
    items = (_name(item) for item in _ITEM.findall(found[1]))
    return frozenset(item for item in items if item)


def _name(item: str) -> str:
    """Return the identity in "Name <address>", an ARN, an address or a domain."""
    bracketed = _IN_BRACKETS.search(item)
    text = bracketed[1] if bracketed else item
    if text.strip().lower().startswith("arn:"):
        text = text.partition("identity/")[2]
    return text.strip().strip("'\"").removesuffix(".").lower()


def _names(address: str) -> frozenset[str]:
    """Return the identities that stand for an address: itself, and its domain."""
    low = address.strip().lower()
    return frozenset((low, low.rpartition("@")[2])) - {""}
