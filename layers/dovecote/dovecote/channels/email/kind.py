"""What a kind says to email: its keys in kinds.yaml, and its template files."""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Self, cast

import msgspec

from dovecote.catalog.errors import BadCatalog
from dovecote.catalog.kinds import Catalog, Kind
from dovecote.catalog.sections import Section
from dovecote.channels.email.settings import EmailSettings
from dovecote.core.parsing.addresses import mailbox
from dovecote.core.parsing.settings import BadSettings

SUBJECT, HTML, TEXT = "subject.txt", "body.html", "body.txt"

_RESERVED = frozenset(
    {
        *("bcc", "cc", "date", "dkim-signature", "from", "list-unsubscribe"),
        *("list-unsubscribe-post", "message-id", "mime-version", "reply-to", "return-path"),
        *("sender", "subject", "to"),
    }
)
"""Headers that SES or Dovecote writes."""

_HeaderName = Annotated[str, msgspec.Meta(pattern=r"^[!-9;-~]{1,126}\Z")]


class EmailKind(Section, frozen=True, kw_only=True, rename={"sender": "from"}):
    """The keys of email in a kind's entry; `sender` is None where EMAIL_FROM holds."""

    files: ClassVar[Mapping[str, type[msgspec.Struct] | None]] = dict.fromkeys(
        (SUBJECT, HTML, TEXT)
    )

    sender: str | None = None
    reply_to: str | None = None
    headers: Annotated[dict[_HeaderName, str], msgspec.Meta(max_length=13)] = msgspec.field(
        default_factory=dict  # SES: 15 with ours
    )
    unsubscribe_url: str | None = None

    def checked(self) -> Self:
        """Return this section with its mailboxes as SES takes them.

        Raises BadAddress, and BadCatalog for a header that a kind cannot set.
        """
        for name in self.headers:
            if name.lower() in _RESERVED or name.lower().startswith("content-"):
                raise BadCatalog(f"headers: {name}: is not a kind's to set")
        return msgspec.structs.replace(
            self,
            sender=mailbox(self.sender) if self.sender else None,
            reply_to=mailbox(self.reply_to) if self.reply_to else None,
        )

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield the headers and the unsubscribe URL, which are templates, with their keys."""
        yield from ((f"headers: {name}", text) for name, text in self.headers.items())
        if self.unsubscribe_url is not None:
            yield "unsubscribe_url", self.unsubscribe_url


SECTION = EmailKind


def section_of(kind: Kind) -> EmailKind:
    """Return what a kind says to email."""
    return cast(EmailKind, kind.sections["email"])


def check_catalog(settings: EmailSettings, catalog: Catalog) -> None:
    """Raise BadSettings where a kind of email has no sender."""
    if settings.email_from:
        return
    for kind in catalog.values():
        if "email" in kind.channels and section_of(kind).sender is None:
            raise BadSettings(f"EMAIL_FROM: is not set; set it, or a sender for {kind.name}")
