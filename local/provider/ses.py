"""SES v2: SendEmail with simple content, identities, the account, and what SES refuses."""

import json
import re
import uuid
from email.utils import parseaddr
from typing import Any

from aiohttp import web

from local import REGION
from local.provider.ledger import Email, Send
from local.provider.protocol import AwsError, answer, refuse
from local.provider.provider import Provider

MAX_RECIPIENTS = 50
MAX_HEADERS = 15
TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")
CONTROLS = re.compile(r"[\r\n\0]")
HEADER_NAME = re.compile(r"[!-9;-~]{1,126}")
HEADER_VALUE = re.compile(r"[ -~]{1,995}")
Document = dict[str, Any]
# What GetAccount says where no rate is set: more than a machine sends, so that nobody waits for it.
AMPLE_RATE = 1000.0
UNLIMITED = -1.0  # SES's word for no daily quota
DAY_SECONDS = 86_400


def add_routes(app: web.Application, provider: Provider) -> None:
    """Serve SES v2 under /v2/email."""
    service = _Service(provider)
    app.router.add_routes(
        [
            web.post("/v2/email/outbound-emails", service.send_email),
            web.post("/v2/email/identities", service.create_identity),
            web.get("/v2/email/identities/{identity}", service.get_identity),
            web.get("/v2/email/account", service.get_account),
        ]
    )


class _Service:
    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    async def send_email(self, request: web.Request) -> web.Response:
        """SendEmail."""
        document = await read(request)
        send = _send(document)
        message_id = await self._provider.carry_out(
            request, send, lambda: self._accept(send, document)
        )
        return answer({"MessageId": message_id})

    def _accept(self, send: Send, document: Document) -> str:
        email = _email(document, send)
        check_identity(self._provider, email.source)
        return self._provider.accept(send, new_message_id(), email)

    async def create_identity(self, request: web.Request) -> web.Response:
        """CreateEmailIdentity."""
        identity = str((await read(request)).get("EmailIdentity", ""))
        if not identity:
            raise bad_request("EmailIdentity must not be empty.")
        if identity in self._provider.identities:
            raise AwsError(
                400, "AlreadyExistsException", f"Email identity {identity} already exist."
            )
        self._provider.identities.add(identity)
        return answer(_described(identity))

    async def get_identity(self, request: web.Request) -> web.Response:
        """GetEmailIdentity."""
        identity = request.match_info["identity"]
        if identity not in self._provider.identities:
            raise AwsError(404, "NotFoundException", f"Email identity {identity} does not exist.")
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


async def read(request: web.Request) -> Document:
    """Return the JSON object of a request."""
    try:
        document = json.loads(await request.read())
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise AwsError(400, "SerializationException", "The body is no JSON object.")
    return document


def tags_of(entries: list[Document] | None) -> dict[str, str]:
    """Return the tags of a message by their names."""
    return {str(tag["Name"]): str(tag["Value"]) for tag in entries or ()}


def recipients(document: Document) -> tuple[str, ...]:
    """Return all addresses of a Destination."""
    destination = document.get("Destination") or {}
    kinds = ("ToAddresses", "CcAddresses", "BccAddresses")
    return tuple(str(address) for kind in kinds for address in destination.get(kind) or ())


def check_identity(provider: Provider, source: str) -> None:
    """Refuse a sender that was not verified, where the provider is strict."""
    address = parseaddr(source)[1]
    domain = address.rpartition("@")[2]
    if provider.strict and not {address, domain} & provider.identities:
        raise AwsError(
            400,
            "MessageRejected",
            "Email address is not verified. The following identities failed the check in "
            f"region {REGION.upper()}: {source}",
        )


def new_message_id() -> str:
    """Return an id as SES writes them."""
    return f"0100{uuid.uuid4().hex[:12]}-{uuid.uuid4()}-000000"


def data_of(parts: Document, name: str) -> str | None:
    """Return the text of one part, or None where there is none."""
    part = parts.get(name)
    return None if part is None else str(part.get("Data", ""))


def headers_of(entries: list[dict[str, str]]) -> dict[str, str]:
    """Return the headers of a message by their names; raise AwsError for what SES refuses."""
    too_many = f"Message can't have more than {MAX_HEADERS} headers."
    invalid = {
        f"Invalid message header <{entry['Name']}>.": not (
            HEADER_NAME.fullmatch(entry["Name"]) and HEADER_VALUE.fullmatch(entry["Value"])
        )
        for entry in entries
    }
    refuse(bad_request, {too_many: len(entries) > MAX_HEADERS, **invalid})
    return {entry["Name"]: entry["Value"] for entry in entries}


def check_addresses(recipients: tuple[str, ...], ours: tuple[str, ...]) -> None:
    """Refuse addresses that SES refuses."""
    refuse(
        bad_request,
        {
            "Destination must have at least one address.": not recipients,
            f"Recipient count exceeds {MAX_RECIPIENTS}.": len(recipients) > MAX_RECIPIENTS,
        },
    )
    for written in (*recipients, *ours):
        local, at, domain = parseaddr(written)[1].rpartition("@")
        refuse(
            bad_request,
            {
                "Missing final '@domain'": not at or not local,
                "Missing domain": not domain,
                "Local address contains non-ASCII characters": not local.isascii(),
                "Local address contains control or whitespace": bool(CONTROLS.search(written)),
            },
        )


def check_tags(send: Send) -> None:
    """Refuse tags that SES refuses."""
    texts = [*(("name", name) for name in send.tags), *(("value", v) for v in send.tags.values())]
    faults = {
        f"Invalid tag {part} <{text}>: only alphanumeric ASCII characters, '_', and '-' are "
        "allowed.": TAG.fullmatch(text) is None
        for part, text in texts
    }
    refuse(bad_request, faults)


def bad_request(message: str) -> AwsError:
    """Return the refusal of a request that is wrong."""
    return AwsError(400, "BadRequestException", message)
