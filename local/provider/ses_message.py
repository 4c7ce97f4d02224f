"""What messages of SES v2 have in common: how they are read, and what SES refuses of them."""

import json
import re
import uuid
from email.utils import parseaddr
from typing import Any

from aiohttp import web

from local.provider.ledger import Send
from local.provider.problem import AwsError
from local.provider.provider import Provider

MAX_RECIPIENTS = 50
MAX_HEADERS = 15
TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")
HEADER_NAME = re.compile(r"[!-9;-~]{1,126}")
HEADER_VALUE = re.compile(r"[ -~]{1,995}")
Document = dict[str, Any]


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
            f"region {provider.region.upper()}: {source}",
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
    if len(entries) > MAX_HEADERS:
        raise bad_request(f"Message can't have more than {MAX_HEADERS} headers.")
    for entry in entries:
        if not HEADER_NAME.fullmatch(entry["Name"]) or not HEADER_VALUE.fullmatch(entry["Value"]):
            raise bad_request(f"Invalid message header <{entry['Name']}>.")
    return {entry["Name"]: entry["Value"] for entry in entries}


def check_addresses(recipients: tuple[str, ...], ours: tuple[str, ...]) -> None:
    """Refuse addresses that SES refuses."""
    if not recipients:
        raise bad_request("Destination must have at least one address.")
    if len(recipients) > MAX_RECIPIENTS:
        raise bad_request(f"Recipient count exceeds {MAX_RECIPIENTS}.")
    for written in (*recipients, *ours):
        local, at, domain = parseaddr(written)[1].rpartition("@")
        if not at or not local:
            raise bad_request("Missing final '@domain'")
        if not domain:
            raise bad_request("Missing domain")
        if not local.isascii():
            raise bad_request("Local address contains non-ASCII characters")
        if any(character in written for character in "\r\n\0"):
            raise bad_request("Local address contains control or whitespace")


def check_tags(send: Send) -> None:
    """Refuse tags that SES refuses."""
    for part, texts in (("name", send.tags.keys()), ("value", send.tags.values())):
        for text in texts:
            if not TAG.fullmatch(text):
                raise bad_request(
                    f"Invalid tag {part} <{text}>: only alphanumeric ASCII characters, '_', "
                    "and '-' are allowed."
                )


def bad_request(message: str) -> AwsError:
    """Return the refusal of a request that is wrong."""
    return AwsError(400, "BadRequestException", message)


def answer(document: Document) -> web.Response:
    """Answer as SES does."""
    return web.json_response(document, headers={"x-amzn-RequestId": str(uuid.uuid4())})
