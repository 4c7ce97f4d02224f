"""Email by SES v2: the kind's template, rendered here, one SendEmail for each route."""

from collections.abc import Sequence
from email.utils import parseaddr
from typing import Any
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError

from dovecote.catalog import BadCatalog, Catalog, Kind
from dovecote.channels.pool import Pool
from dovecote.channels.provider import refused
from dovecote.channels.rendering import Mail, Renderer, RenderError, variables
from dovecote.gate import Gate
from dovecote.model import Channel, Claim, Delivered, Failed, Outcome, Result, Slots
from dovecote.ports import ProviderUnavailable
from dovecote.redaction import scrubbed


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
    ) -> None:
        self._client = client
        self._catalog = catalog
        self._renderer = renderer
        self._pool = pool
        self._sender = sender
        self._configuration_set = configuration_set

    def resources(self, claim: Claim) -> Sequence[str]:
        """Return the account and the identity that the claim's kind sends from."""
        kind = self._catalog.get(claim.kind)
        sender = self._sender if kind is None else kind.sender or self._sender
        return claim.channel, identity_of(sender)

    def deliver(
        self, claims: Sequence[Claim], begin_before: float, slots: Slots, gate: Gate
    ) -> dict[UUID, Outcome]:
        """Send each claim's email in its slot; begin none after `begin_before`."""
        return self._pool.deliver(self._send, self.resources, claims, begin_before, slots, gate)

    def late(self) -> list[Result]:
        """Return what came of sends that were left out, each once."""
        return self._pool.late()

    def _send(self, claim: Claim) -> Outcome:
        kind = self._catalog.get(claim.kind)
        if kind is None:
            return Failed(error="unknown kind", asked=False)
        recipient = (claim.resolved_email or "").strip()
        if not recipient:
            return Failed(error="email route missing resolved recipient", asked=False)
        try:
            mail = self._renderer.mail(kind, claim.locale, variables(claim))
            request = self._request(claim, kind, recipient, mail)
        except (RenderError, BadCatalog) as error:
            return Failed(error=scrubbed(str(error), claim), asked=False)
        try:
            answer = self._client.send_email(**request)
        except (ClientError, BotoCoreError) as error:
            return refused(error, claim, identity_of(request["FromEmailAddress"]))
        return Delivered(message_id=answer["MessageId"])

    def _request(self, claim: Claim, kind: Kind, recipient: str, mail: Mail) -> dict[str, Any]:
        request: dict[str, Any] = {
            "FromEmailAddress": kind.sender or self._sender,
            "Destination": {"ToAddresses": [recipient]},
            "Content": {"Simple": _content(mail)},
            "EmailTags": [
                {"Name": "route_id", "Value": str(claim.route_id)},
                {"Name": "claim", "Value": str(claim.claims)},
                # SES takes letters, digits, _ and - in a tag; no kind holds a dash of its own.
                {"Name": "kind", "Value": claim.kind.replace(".", "-")},
            ],
        }
        if kind.reply_to is not None:
            request["ReplyToAddresses"] = [kind.reply_to]
        if self._configuration_set:
            request["ConfigurationSetName"] = self._configuration_set
        return request


def sending_rate(client: Any) -> float:
    """Return how many emails a second the account may send; raise ProviderUnavailable."""
    try:
        rate = float(client.get_account()["SendQuota"]["MaxSendRate"])
    except (ClientError, BotoCoreError, KeyError) as error:
        raise ProviderUnavailable(type(error).__name__) from None
    if rate <= 0:
        raise ProviderUnavailable(f"MaxSendRate is {rate:g}")
    return rate


def identity_of(sender: str) -> str:
    """Return the resource that a sender is: the domain of its address."""
    return f"{Channel.EMAIL}/{parseaddr(sender)[1].rpartition('@')[2].lower()}"


def _content(mail: Mail) -> dict[str, Any]:
    return {
        "Subject": _text(mail.subject),
        "Body": {"Text": _text(mail.text), "Html": _text(mail.html)},
        "Headers": [{"Name": name, "Value": value} for name, value in mail.headers.items()],
    }


def _text(data: str) -> dict[str, str]:
    return {"Data": data, "Charset": "UTF-8"}
