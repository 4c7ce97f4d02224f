"""SES v2: SendEmail with simple content, identities, and the account."""

from aiohttp import web

from local.provider import ses_bulk
from local.provider.ledger import Email, Send
from local.provider.problem import AwsError, as_json
from local.provider.provider import ConnectionDies, Provider, close
from local.provider.ses_message import (
    Document,
    answer,
    bad_request,
    check_addresses,
    check_identity,
    check_tags,
    data_of,
    headers_of,
    new_message_id,
    read,
    recipients,
    tags_of,
)

# What GetAccount says where no rate is set: more than a machine sends, so that nobody waits for it.
AMPLE_RATE = 1000.0
UNLIMITED = -1.0  # SES's word for no daily quota
DAY_SECONDS = 86_400


def add_routes(app: web.Application, provider: Provider) -> None:
    """Serve SES v2 under /v2/email."""
    service = _Service(provider)
    ses_bulk.add_routes(app, provider)
    app.router.add_post("/v2/email/outbound-emails", service.send_email)
    app.router.add_post("/v2/email/identities", service.create_identity)
    app.router.add_get("/v2/email/identities/{identity}", service.get_identity)
    app.router.add_get("/v2/email/account", service.get_account)


class _Service:
    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    async def send_email(self, request: web.Request) -> web.Response:
        """SendEmail."""
        try:
            document = await read(request)
            send = _send(document)
            message_id = await self._provider.carry_out(
                request, send, lambda: self._accept(send, document)
            )
        except AwsError as error:
            return as_json(error)
        except ConnectionDies:
            return close(request)
        return answer({"MessageId": message_id})

    def _accept(self, send: Send, document: Document) -> str:
        email = _email(document, send)
        check_identity(self._provider, email.source)
        message_id = new_message_id()
        self._provider.accept(send, message_id, email)
        return message_id

    async def create_identity(self, request: web.Request) -> web.Response:
        """CreateEmailIdentity."""
        try:
            identity = str((await read(request)).get("EmailIdentity", ""))
            if not identity:
                raise bad_request("EmailIdentity must not be empty.")
            if identity in self._provider.identities:
                raise AwsError(
                    400, "AlreadyExistsException", f"Email identity {identity} already exist."
                )
        except AwsError as error:
            return as_json(error)
        self._provider.identities.add(identity)
        return answer(_described(identity))

    async def get_identity(self, request: web.Request) -> web.Response:
        """GetEmailIdentity."""
        identity = request.match_info["identity"]
        if identity not in self._provider.identities:
            message = f"Email identity {identity} does not exist."
            return as_json(AwsError(404, "NotFoundException", message))
        return answer(_described(identity))

    async def get_account(self, _: web.Request) -> web.Response:
        """GetAccount."""
        rate = self._provider.send_rate
        return answer(
            {
                "DedicatedIpAutoWarmupEnabled": False,
                "EnforcementStatus": "HEALTHY",
                "ProductionAccessEnabled": True,
                "SendingEnabled": True,
                "SendQuota": {
                    "Max24HourSend": UNLIMITED,
                    "MaxSendRate": AMPLE_RATE if rate is None else rate,
                    "SentLast24Hours": float(self._sent_since(DAY_SECONDS)),
                },
            }
        )

    def _sent_since(self, seconds: float) -> int:
        since = self._provider.clock() - seconds
        rows = self._provider.ledger.accepted
        return sum(row.service == "ses" and row.time > since for row in rows)


def _described(identity: str) -> Document:
    kind = "EMAIL_ADDRESS" if "@" in identity else "DOMAIN"
    return {
        "IdentityType": kind,
        "VerifiedForSendingStatus": True,
        "DkimAttributes": {"SigningEnabled": False, "Status": "NOT_STARTED"},
    }


def _send(document: Document) -> Send:
    tags = tags_of(document.get("EmailTags"))
    return Send(
        service="ses",
        operation="SendEmail",
        targets=recipients(document),
        tags=tags,
        route_id=tags.get("route_id"),
    )


def _email(document: Document, send: Send) -> Email:
    """Read the simple content of a SendEmail; raises AwsError for what SES refuses."""
    content = document.get("Content") or {}
    simple = content.get("Simple")
    if not isinstance(simple, dict):
        raise bad_request("Content must have Simple: this provider takes nothing else.")
    source = str(document.get("FromEmailAddress") or "")
    reply_to = tuple(document.get("ReplyToAddresses") or ())
    headers = headers_of(simple.get("Headers") or [])
    check_addresses(send.targets, (source, *reply_to))
    check_tags(send)
    body = simple.get("Body") or {}
    html, text = data_of(body, "Html"), data_of(body, "Text")
    if html is None and text is None:
        raise bad_request("Body must have Html or Text.")
    return Email(
        source=source,
        destination=send.targets,
        subject=data_of(simple, "Subject") or "",
        html=html,
        text=text,
        reply_to=reply_to,
        headers=headers,
        tags=send.tags,
        configuration_set=document.get("ConfigurationSetName"),
    )
