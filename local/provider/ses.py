"""SES v2: SendEmail with simple content, identities, and the account."""

import json
import re
import uuid
from email.utils import parseaddr
from typing import Any

from aiohttp import web

from local.provider.ledger import Email, Send
from local.provider.problem import AwsError, as_json
from local.provider.provider import ConnectionDies, Provider, close

MAX_RECIPIENTS = 50
MAX_HEADERS = 15
TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")
HEADER_NAME = re.compile(r"[!-9;-~]{1,126}")
HEADER_VALUE = re.compile(r"[ -~]{1,995}")
# What GetAccount says where no rate is set: more than a machine sends, so that nobody waits for it.
AMPLE_RATE = 1000.0
UNLIMITED = -1.0  # SES's word for no daily quota
DAY_SECONDS = 86_400
Document = dict[str, Any]


def add_routes(app: web.Application, provider: Provider) -> None:
    """Serve SES v2 under /v2/email."""
    service = _Service(provider)
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
            document = await _document(request)
            send = _send(document)
            message_id = await self._provider.carry_out(
                request, send, lambda: self._accept(send, document)
            )
        except AwsError as error:
            return as_json(error)
        except ConnectionDies:
            return close(request)
        return _answer({"MessageId": message_id})

    def _accept(self, send: Send, document: Document) -> str:
        email = _email(document, send)
        self._check_identity(email.source)
        message_id = f"0100{uuid.uuid4().hex[:12]}-{uuid.uuid4()}-000000"
        self._provider.accept(send, message_id, email)
        return message_id

    def _check_identity(self, source: str) -> None:
        address = parseaddr(source)[1]
        domain = address.rpartition("@")[2]
        if self._provider.strict and not {address, domain} & self._provider.identities:
            raise AwsError(
                400,
                "MessageRejected",
                "Email address is not verified. The following identities failed the check in "
                f"region {self._provider.region.upper()}: {source}",
            )

    async def create_identity(self, request: web.Request) -> web.Response:
        """CreateEmailIdentity."""
        try:
            identity = str((await _document(request)).get("EmailIdentity", ""))
            if not identity:
                raise _bad_request("EmailIdentity must not be empty.")
            if identity in self._provider.identities:
                raise AwsError(
                    400, "AlreadyExistsException", f"Email identity {identity} already exist."
                )
        except AwsError as error:
            return as_json(error)
        self._provider.identities.add(identity)
        return _answer(_described(identity))

    async def get_identity(self, request: web.Request) -> web.Response:
        """GetEmailIdentity."""
        identity = request.match_info["identity"]
        if identity not in self._provider.identities:
            message = f"Email identity {identity} does not exist."
            return as_json(AwsError(404, "NotFoundException", message))
        return _answer(_described(identity))

    async def get_account(self, _: web.Request) -> web.Response:
        """GetAccount."""
        rate = self._provider.send_rate
        return _answer(
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


async def _document(request: web.Request) -> Document:
    try:
        document = json.loads(await request.read())
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise AwsError(400, "SerializationException", "The body is no JSON object.")
    return document


def _send(document: Document) -> Send:
    destination = document.get("Destination") or {}
    kinds = ("ToAddresses", "CcAddresses", "BccAddresses")
    addresses = [str(address) for kind in kinds for address in destination.get(kind) or ()]
    tags = _tags(document)
    return Send(
        service="ses",
        operation="SendEmail",
        targets=tuple(addresses),
        tags=tags,
        route_id=tags.get("route_id"),
    )


def _tags(document: Document) -> dict[str, str]:
    return {str(tag["Name"]): str(tag["Value"]) for tag in document.get("EmailTags") or ()}


def _email(document: Document, send: Send) -> Email:
    """Read the simple content of a SendEmail; raises AwsError for what SES refuses."""
    content = document.get("Content") or {}
    simple = content.get("Simple")
    if not isinstance(simple, dict):
        raise _bad_request("Content must have Simple: this provider takes nothing else.")
    source = str(document.get("FromEmailAddress") or "")
    reply_to = tuple(document.get("ReplyToAddresses") or ())
    headers = _headers(simple.get("Headers") or [])
    _check_addresses(send.targets, (source, *reply_to))
    _check_tags(send)
    body = simple.get("Body") or {}
    html, text = _data(body, "Html"), _data(body, "Text")
    if html is None and text is None:
        raise _bad_request("Body must have Html or Text.")
    return Email(
        source=source,
        destination=send.targets,
        subject=_data(simple, "Subject") or "",
        html=html,
        text=text,
        reply_to=reply_to,
        headers=headers,
        tags=send.tags,
        configuration_set=document.get("ConfigurationSetName"),
    )


def _data(parts: Document, name: str) -> str | None:
    part = parts.get(name)
    return None if part is None else str(part.get("Data", ""))


def _headers(entries: list[dict[str, str]]) -> dict[str, str]:
    if len(entries) > MAX_HEADERS:
        raise _bad_request(f"Message can't have more than {MAX_HEADERS} headers.")
    for entry in entries:
        if not HEADER_NAME.fullmatch(entry["Name"]) or not HEADER_VALUE.fullmatch(entry["Value"]):
            raise _bad_request(f"Invalid message header <{entry['Name']}>.")
    return {entry["Name"]: entry["Value"] for entry in entries}


def _check_addresses(recipients: tuple[str, ...], ours: tuple[str, ...]) -> None:
    if not recipients:
        raise _bad_request("Destination must have at least one address.")
    if len(recipients) > MAX_RECIPIENTS:
        raise _bad_request(f"Recipient count exceeds {MAX_RECIPIENTS}.")
    for written in (*recipients, *ours):
        local, at, domain = parseaddr(written)[1].rpartition("@")
        if not at or not local:
            raise _bad_request("Missing final '@domain'")
        if not domain:
            raise _bad_request("Missing domain")
        if not local.isascii():
            raise _bad_request("Local address contains non-ASCII characters")
        if any(character in written for character in "\r\n\0"):
            raise _bad_request("Local address contains control or whitespace")


def _check_tags(send: Send) -> None:
    for part, texts in (("name", send.tags.keys()), ("value", send.tags.values())):
        for text in texts:
            if not TAG.fullmatch(text):
                raise _bad_request(
                    f"Invalid tag {part} <{text}>: only alphanumeric ASCII characters, '_', "
                    "and '-' are allowed."
                )


def _bad_request(message: str) -> AwsError:
    return AwsError(400, "BadRequestException", message)


def _answer(document: Document) -> web.Response:
    return web.json_response(document, headers={"x-amzn-RequestId": str(uuid.uuid4())})
