"""SES v2: SendBulkEmail with an inline template."""

import json
import re
import uuid
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from local.provider.ledger import Email, Send
from local.provider.protocol import AwsError, answer, refuse
from local.provider.provider import Provider
from local.provider.ses import (
    Document,
    bad_request,
    check_addresses,
    check_identity,
    check_tags,
    headers_of,
    new_message_id,
    read,
    recipients,
    tags_of,
)

MAX_ENTRIES = 50
MAX_DATA = 262_144
# "Each input JSON file can be up to 1 MB in size", of inline templates.
MAX_BYTES = 1_000_000
# Simple substitutions are all that SES makes in an inline template; it escapes nothing.
VARIABLE = re.compile(r"{{(\w+)}}")
STATUSES = {
    "TooManyRequestsException": "ACCOUNT_THROTTLED",
    "LimitExceededException": "ACCOUNT_DAILY_QUOTA_EXCEEDED",
    "AccountSuspendedException": "ACCOUNT_SUSPENDED",
    "SendingPausedException": "ACCOUNT_SENDING_PAUSED",
    "MailFromDomainNotVerifiedException": "MAIL_FROM_DOMAIN_NOT_VERIFIED",
    "MessageRejected": "MESSAGE_REJECTED",
    "NotFoundException": "CONFIGURATION_SET_NOT_FOUND",
    "BadRequestException": "INVALID_PARAMETER",
}
"""What an entry is refused with where a SendEmail is with an error."""


def add_routes(app: web.Application, provider: Provider) -> None:
    """Serve SendBulkEmail."""

    async def send_bulk_email(request: web.Request) -> web.Response:
        return answer(await _carried_out(provider, request))

    app.router.add_post("/v2/email/outbound-bulk-emails", send_bulk_email)


async def _carried_out(provider: Provider, request: web.Request) -> Document:
    document = await read(request)
    call = str(uuid.uuid4())
    entries = document.get("BulkEmailEntries") or []
    sends = [_send(entry, document, call) for entry in entries]
    try:
        _check(provider, document, len(await request.read()))
    except AwsError as error:
        provider.note(sends, error.code)
        raise

    def accept(place: int) -> str:
        email = _email(document, entries[place], sends[place])
        return provider.accept(sends[place], new_message_id(), email)

    results = await provider.carry_out_together(request, sends, accept)
    return {"BulkEmailEntryResults": [_result(result) for result in results]}


def _check(provider: Provider, document: Document, size: int) -> None:
    """Refuse what SES refuses of a call as a whole."""
    entries = document.get("BulkEmailEntries") or []
    number = f"BulkEmailEntries must have 1 to {MAX_ENTRIES} entries."
    refuse(
        bad_request,
        {
            number: not 0 < len(entries) <= MAX_ENTRIES,
            "The request is too large.": size > MAX_BYTES,
        },
    )
    source = str(document.get("FromEmailAddress") or "")
    check_addresses((source, *(document.get("ReplyToAddresses") or ())), ())
    check_identity(provider, source)
    content = _template(document).get("TemplateContent")
    if not isinstance(content, dict) or not content.get("Subject"):
        raise bad_request("Template must have TemplateContent: this provider takes nothing else.")
    if any("{" in VARIABLE.sub("", text) for text in content.values()):
        raise bad_request("TemplateContent may have simple substitutions and no other.")
    _values(_template(document).get("TemplateData", "{}"))


def _template(document: Document) -> Document:
    template: Document = (document.get("DefaultContent") or {}).get("Template") or {}
    return template


def _send(entry: Document, document: Document, call: str) -> Send:
    tags = tags_of(document.get("DefaultEmailTags")) | tags_of(entry.get("ReplacementTags"))
    return Send(
        service="ses",
        operation="SendBulkEmail",
        targets=recipients(entry),
        tags=tags,
        route_id=tags.get("route_id"),
        call=call,
    )


def _email(document: Document, entry: Document, send: Send) -> Email:
    """Return what SES makes of an entry; raises AwsError for what it refuses of it."""
    template = _template(document)
    check_addresses(send.targets, ())
    check_tags(send)
    replaced = (entry.get("ReplacementEmailContent") or {}).get("ReplacementTemplate") or {}
    values = _values(template.get("TemplateData", "{}")) | _values(
        replaced.get("ReplacementTemplateData", "{}")
    )
    content = template["TemplateContent"]
    return Email(
        source=str(document["FromEmailAddress"]),
        destination=send.targets,
        subject=_substituted(content["Subject"], values),
        html=_part(content, "Html", values),
        text=_part(content, "Text", values),
        reply_to=tuple(document.get("ReplyToAddresses") or ()),
        headers=headers_of(template.get("Headers") or [])
        | headers_of(entry.get("ReplacementHeaders") or []),
        tags=send.tags,
        configuration_set=document.get("ConfigurationSetName"),
    )


def _part(content: Document, name: str, values: Mapping[str, Any]) -> str | None:
    return None if content.get(name) is None else _substituted(content[name], values)


def _substituted(text: str, values: Mapping[str, Any]) -> str:
    """Put values in the place of variables, each as it is and once."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in values:
            raise bad_request(f"Attribute '{found[1]}' is not present in the rendering data.")
        return str(values[found[1]])

    return VARIABLE.sub(value, text)


def _values(data: str) -> dict[str, Any]:
    if len(data) > MAX_DATA:
        raise bad_request(f"TemplateData is longer than {MAX_DATA}.")
    try:
        values = json.loads(data)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise bad_request("TemplateData is no JSON object.")
    return values


def _result(result: str | AwsError) -> Document:
    if isinstance(result, str):
        return {"Status": "SUCCESS", "MessageId": result}
    return {"Status": _status(result), "Error": result.message}


def _status(error: AwsError) -> str:
    """Return the status that an entry is refused with; a code that is one already is that."""
    other = "TRANSIENT_FAILURE" if error.status >= 500 else "FAILED"
    return error.code if error.code.isupper() else STATUSES.get(error.code, other)
