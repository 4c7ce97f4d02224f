"""Email by SES v2: the kind's template, rendered here, one SendEmail for each route."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError

from dovecote.catalog import Catalog, Kind
from dovecote.channels.pool import Pool
from dovecote.channels.provider import refused
from dovecote.channels.rendering import Mail, Renderer, RenderError, variables
from dovecote.model import Claim, Delivered, Failed, Outcome, Result
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

    def deliver(self, claims: Sequence[Claim], begin_before: float) -> dict[UUID, Outcome]:
        """Send each claim's email; begin none after `begin_before`."""
        return self._pool.deliver(self._send, claims, begin_before)

    def late(self) -> list[Result]:
        """Return what came of sends that were left out, each once."""
        return self._pool.late()

    def _send(self, claim: Claim) -> Outcome:
        kind = self._catalog.get(claim.kind)
        if kind is None:
            return Failed(error="unknown kind")
        recipient = (claim.resolved_email or "").strip()
        if not recipient:
            return Failed(error="email route missing resolved recipient")
        try:
            mail = self._renderer.mail(kind, claim.locale, variables(claim))
            answer = self._client.send_email(**self._request(claim, kind, recipient, mail))
        except RenderError as error:
            return Failed(error=scrubbed(str(error), claim))
        except (ClientError, BotoCoreError) as error:
            return refused(error, claim)
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


def _content(mail: Mail) -> dict[str, Any]:
    return {
        "Subject": _text(mail.subject),
        "Body": {"Text": _text(mail.text), "Html": _text(mail.html)},
        "Headers": [{"Name": name, "Value": value} for name, value in mail.headers.items()],
    }


def _text(data: str) -> dict[str, str]:
    return {"Data": data, "Charset": "UTF-8"}
