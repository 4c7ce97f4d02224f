"""Email by SES v2: the kind's template, rendered here; routes of one sender go out together."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from email.utils import parseaddr
from functools import cache
from typing import Any
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError

from dovecote.catalog.kinds import Catalog
from dovecote.catalog.rendering import Renderer, variables
from dovecote.channels.aws_errors import (
    of_one_resource,
    of_the_request,
    refused,
    refused_together,
    told,
)
from dovecote.channels.base import Early
from dovecote.channels.email.body import take_body
from dovecote.channels.email.message import Letterhead, Message, bulk, parts, single, written
from dovecote.core.channel_state import SendSlots
from dovecote.core.claim import Claim
from dovecote.core.errors import ProviderUnavailable
from dovecote.core.outcome import Ambiguous, Delivered, Failed, Outcome, Result
from dovecote.core.route import Channel
from dovecote.dispatch.attempts import attempt
from dovecote.dispatch.calls import divided
from dovecote.dispatch.circuit_breaker import CircuitBreaker
from dovecote.dispatch.pool import MayBegin, Pool, Reply

LEAST_BULK: Mapping[str, Any] = {"DefaultContent": {}, "BulkEmailEntries": []}
"""The fewest parameters of a SendBulkEmail that boto3 accepts."""


class EmailChannel:
    """Sends what a claim's kind says to the address of its route."""

    def __init__(
        self,
        *,
        client: Any,
        catalog: Catalog,
        renderer: Renderer,
        pool: Pool,
        sender: str,
        configuration_set: str,
        bulk_size: int,
    ) -> None:
        take_body(client, "SendBulkEmail", LEAST_BULK)
        self._client = client
        self._catalog = catalog
        self._renderer = renderer
        self._pool = pool
        self._sender = sender
        self._configuration_set = configuration_set
        self._bulk_size = bulk_size
        self._head = cache(self._letterhead)

    def resources(self, claim: Claim) -> Sequence[str]:
        """Return the account and the identity that the claim's kind sends from."""
        return claim.channel, identity_of(self._head(claim.kind).sender)

    def deliver(
        self,
        claims: Sequence[Claim],
        begin_before: float,
        slots: SendSlots,
        breaker: CircuitBreaker,
        early: Early | None = None,
    ) -> dict[UUID, Outcome]:
        """Send each claim's email, not before its slot; begin none after `begin_before`."""

        def together(claim: Claim) -> Hashable | None:
            return self._together(claim, breaker)

        calls = divided(claims, together, slots, self._bulk_size)
        return self._pool.deliver(
            self._send, self.resources, calls, begin_before, slots, breaker, early
        )

    def late(self) -> list[Result]:
        """Return what came of sends that were left out, each once."""
        return self._pool.late()

    def _together(self, claim: Claim, breaker: CircuitBreaker) -> Hashable | None:
        """Return what claims of one call have in common, or None for one that goes alone.

        A probe after a pause is a single email. A route that failed or was refused is alone too:
        if it is what a call fails of, it fails no other twice.
        """
        if claim.attempts > 1 or claim.refusals or breaker.probes(self.resources(claim)):
            return None
        return self._head(claim.kind)

    def _letterhead(self, name: str) -> Letterhead:
        kind = self._catalog.get(name)
        return Letterhead(
            sender=self._sender if kind is None else kind.sender or self._sender,
            reply_to=None if kind is None else kind.reply_to,
            configuration_set=self._configuration_set,
        )

    def _send(self, claims: Sequence[Claim], may_begin: MayBegin) -> Iterator[Reply]:
        """Send claims with one letterhead; what needs no send is said first."""
        head = self._head(claims[0].kind)
        messages: list[Message] = []
        for claim in claims:
            message = attempt(self._message, claim)
            if isinstance(message, Message):
                messages.append(message)
            else:
                yield [claim], message
        yield from self._in_turn(head, list(parts(messages)), may_begin, begun=False)

    def _in_turn(
        self,
        head: Letterhead,
        requests: Sequence[Sequence[Message]],
        may_begin: MayBegin,
        *,
        begun: bool,
    ) -> Iterator[Reply]:
        """Make requests one after another, as long as one more may begin."""
        for messages in requests:
            held = may_begin() if begun else None
            begun = True
            if held is not None:
                yield _claims(messages), held
            elif len(messages) == 1:
                yield _claims(messages), self._single(head, messages[0])
            else:
                yield from self._bulk(head, messages, may_begin)

    def _message(self, claim: Claim) -> Message | Failed:
        """Render a claim's email, or say why there is nothing to send."""
        kind = self._catalog.get(claim.kind)
        if kind is None:
            return Failed(error="unknown kind", asked=False)
        recipient = (claim.resolved_email or "").strip()
        if not recipient:
            return Failed(error="email route missing resolved recipient", asked=False)
        mail = self._renderer.mail(kind, claim.locale, variables(claim))
        return written(claim, recipient, mail)

    def _single(self, head: Letterhead, message: Message) -> Outcome:
        try:
            answer = self._client.send_email(**single(head, message))
        except (ClientError, BotoCoreError) as error:
            identity = identity_of(head.sender)
            return refused(error, message.claim, identity, sender=head.sender)
        return Delivered(message_id=answer["MessageId"])

    def _bulk(
        self, head: Letterhead, messages: Sequence[Message], may_begin: MayBegin
    ) -> Iterator[Reply]:
        """Send messages together; singly, where SES refuses what the call says or one recipient."""
        claims, identity = _claims(messages), identity_of(head.sender)
        try:
            answer = self._client.send_bulk_email(Body=bulk(head, messages))
        except (ClientError, BotoCoreError) as error:
            outcome = refused_together(error, claims, identity, sender=head.sender)
            if of_the_request(outcome) or of_one_resource(outcome):
                alone = [[message] for message in messages]
                yield from self._in_turn(head, alone, may_begin, begun=True)
            else:
                yield claims, outcome
            return
        entries = answer["BulkEmailEntryResults"]
        for claim, entry in zip(claims, entries, strict=False):
            yield [claim], told(entry, claim, identity, sender=head.sender)
        if len(entries) < len(claims):
            yield claims[len(entries) :], Ambiguous(error="SES left it out of its answer")


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
    return f"{Channel.EMAIL}/{parseaddr(sender)[1].rpartition('@')[2].lower()}"


def _claims(messages: Sequence[Message]) -> list[Claim]:
    return [message.claim for message in messages]
