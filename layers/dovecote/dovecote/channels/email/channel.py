"""Email by SES v2: renders the kind's template; a request has one sender and one or more emails."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from email.utils import parseaddr
from functools import cache
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from dovecote.catalog.kinds import Catalog
from dovecote.catalog.rendering import Renderer, variables
from dovecote.channels.aws_errors import entry_outcome, refused
from dovecote.channels.base import Reply, Tools
from dovecote.channels.email import mail
from dovecote.channels.email.body import take_body
from dovecote.channels.email.kind import section_of
from dovecote.channels.email.message import MAX_BYTES, Letterhead, Message, bulk, single, written
from dovecote.channels.email.settings import EmailSettings
from dovecote.core.claim import Claim
from dovecote.core.errors import ProviderUnavailable
from dovecote.core.outcome import Ambiguous, Delivered, Failed, Outcome
from dovecote.core.parsing.addresses import encoded

LEAST_BULK: Mapping[str, Any] = {"DefaultContent": {}, "BulkEmailEntries": []}
"""The fewest parameters of a SendBulkEmail that boto3 accepts."""


class EmailChannel:
    """Sends what a claim's kind says to the address of its route.

    `fixed_rate` is in emails per second; None asks SES for the account's rate.
    """

    keeps_acceptances = True
    max_size = MAX_BYTES

    def __init__(
        self,
        *,
        client: Any,
        catalog: Catalog,
        renderer: Renderer,
        sender: str,
        configuration_set: str,
        bulk_size: int,
        hold_seconds: float = 0.0,
        fixed_rate: float | None = None,
    ) -> None:
        take_body(client, "SendBulkEmail", LEAST_BULK)
        self._client = client
        self._catalog = catalog
        self._renderer = renderer
        self._sender = sender
        self._configuration_set = configuration_set
        self._fixed_rate = fixed_rate
        self._head = cache(self._letterhead)
        self.batch_size = bulk_size
        self.hold_seconds = hold_seconds
        self.rate_from_provider = fixed_rate is None

    def connect(self) -> None:
        """Do nothing: the client exists."""

    def resources(self, claim: Claim) -> Sequence[str]:
        """Return the account and the identity that the claim's kind sends from."""
        return claim.channel, identity_of(self._head(claim.kind).sender)

    def batch_key(self, claim: Claim) -> Hashable | None:
        """Return the letterhead, which all emails of a request share."""
        return self._head(claim.kind)

    def prepare(self, claim: Claim) -> Message | Outcome:
        """Render a claim's email, or say why there is nothing to send."""
        kind = self._catalog.get(claim.kind)
        if kind is None:
            return Failed(error="unknown kind", asked=False)
        recipient = (claim.address or "").strip()
        if not recipient:
            return Failed(error="email route missing resolved recipient", asked=False)
        rendered = mail.render(self._renderer, kind, claim.locale, variables(claim))
        return written(claim, recipient, rendered)

    def send(self, messages: Sequence[Message]) -> Iterable[Reply]:
        """Send one email by SendEmail, or several by SendBulkEmail."""
        head = self._head(messages[0].claim.kind)
        if len(messages) == 1:
            claim = messages[0].claim
            return [([claim], self._single(head, messages[0]))]
        return self._bulk(head, messages)

    def rate(self) -> float | None:
        """Return the emails per second that are set, or that SES allows the account."""
        return sending_rate(self._client) if self._fixed_rate is None else self._fixed_rate

    def _letterhead(self, name: str) -> Letterhead:
        kind = self._catalog.get(name)
        section = None if kind is None else section_of(kind)
        return Letterhead(
            sender=self._sender if section is None else section.sender or self._sender,
            reply_to=None if section is None else section.reply_to,
            configuration_set=self._configuration_set,
        )

    def _single(self, head: Letterhead, message: Message) -> Outcome:
        try:
            answer = self._client.send_email(**single(head, message))
        except (ClientError, BotoCoreError) as error:
            identity = identity_of(head.sender)
            return refused(error, [message.claim], identity, sender=head.sender)
        return Delivered(message_id=answer["MessageId"])

    def _bulk(self, head: Letterhead, messages: Sequence[Message]) -> Iterator[Reply]:
        """Send messages together; each entry of the answer has an outcome of its own."""
        claims, identity = [message.claim for message in messages], identity_of(head.sender)
        try:
            answer = self._client.send_bulk_email(Body=bulk(head, messages))
        except (ClientError, BotoCoreError) as error:
            yield claims, refused(error, claims, identity, sender=head.sender)
            return
        entries = answer["BulkEmailEntryResults"]
        for claim, entry in zip(claims, entries, strict=False):
            yield [claim], entry_outcome(entry, claim, identity, sender=head.sender)
        if len(entries) < len(claims):
            yield claims[len(entries) :], Ambiguous(error="SES left it out of its answer")


def sender(settings: EmailSettings, tools: Tools) -> EmailChannel:
    """Return what sends by SES."""
    return EmailChannel(
        client=tools.client("sesv2"),
        catalog=tools.catalog,
        renderer=tools.renderer,
        sender=encoded(settings.email_from) if settings.email_from else "",
        configuration_set=settings.email_configuration_set,
        bulk_size=settings.email_bulk_size,
        hold_seconds=tools.hold_seconds if settings.waits_for_events else 0.0,
        fixed_rate=settings.email_rate,
    )


def sending_rate(client: Any) -> float:
    """Return how many emails a second the account may send; raise ProviderUnavailable."""
    try:
        rate = float(client.get_account()["SendQuota"]["MaxSendRate"])
    except (ClientError, BotoCoreError, KeyError) as error:
        raise ProviderUnavailable(type(error).__name__) from None
    if rate <= 0:
        raise ProviderUnavailable(f"MaxSendRate is {rate:g}")
    return rate


@cache
def identity_of(sender: str) -> str:
    """Return the resource that a sender is: the domain of its address."""
    return f"email/{parseaddr(sender)[1].rpartition('@')[2].lower()}"
