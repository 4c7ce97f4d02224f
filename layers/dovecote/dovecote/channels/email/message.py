"""The bodies of requests to SES: one message by SendEmail, or many by SendBulkEmail.

In a bulk request each entry carries its rendered parts as the values of an inline template. SES
makes only simple substitutions in those, and escapes nothing
(https://docs.aws.amazon.com/ses/latest/dg/send-personalized-email-advanced.html).

An entry is written here, once: the bytes that are measured are the bytes that are sent.
"""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from dovecote.channels.base import Prepared
from dovecote.channels.email.mail import Mail
from dovecote.core.claim import Claim

TEMPLATE = {"Subject": "{{subject}}", "Html": "{{html}}", "Text": "{{text}}"}
"""Passes the rendered parts through as they are."""

MAX_DATA = 262_144
"""The most characters of one entry's values that SES takes."""

MAX_BYTES = 900_000
"""The most bytes of a bulk request's entries: SES takes 1 MB of JSON with an inline template."""

Document = dict[str, Any]

_JSON = msgspec.json.Encoder()

_BRACES = re.compile("{{")
"""Found in a third of the time that `in` takes: 2 and 6 us of an email of 6 KB."""


class Letterhead(msgspec.Struct, frozen=True, kw_only=True):
    """What all messages of a request share."""

    sender: str
    reply_to: str | None
    configuration_set: str

    def document(self) -> Document:
        """Return its part of a request."""
        document: Document = {"FromEmailAddress": self.sender}
        if self.reply_to is not None:
            document["ReplyToAddresses"] = [self.reply_to]
        if self.configuration_set:
            document["ConfigurationSetName"] = self.configuration_set
        return document


class Message(Prepared, frozen=True, kw_only=True):
    """A claim's email, rendered; `entry` is its part of a bulk request, None where it goes alone.

    `size` counts the bytes of the entry.
    """

    recipient: str
    mail: Mail
    entry: bytes | None

    def __repr__(self) -> str:
        """Name the claim, and neither its recipient nor its text."""
        return f"Message({self.claim})"


def written(claim: Claim, recipient: str, mail: Mail) -> Message:
    """Return a claim's email with its entry of a bulk request."""
    entry = _entry(claim, recipient, mail)
    size = None if entry is None else len(entry)
    return Message(claim=claim, size=size, recipient=recipient, mail=mail, entry=entry)


def single(head: Letterhead, message: Message) -> Document:
    """Return the parameters of a SendEmail."""
    mail = message.mail
    simple = {
        "Subject": _text(mail.subject),
        "Body": {"Text": _text(mail.text), "Html": _text(mail.html)},
        "Headers": _headers(mail),
    }
    return {
        **head.document(),
        "Destination": {"ToAddresses": [message.recipient]},
        "Content": {"Simple": simple},
        "EmailTags": _tags(message.claim),
    }


def bulk(head: Letterhead, messages: Sequence[Message]) -> bytes:
    """Return the body of a SendBulkEmail of messages that have an entry."""
    return _JSON.encode(
        {
            **head.document(),
            "DefaultContent": {"Template": {"TemplateContent": TEMPLATE, "TemplateData": "{}"}},
            "BulkEmailEntries": [
                msgspec.Raw(message.entry) for message in messages if message.entry is not None
            ],
        }
    )


def _entry(claim: Claim, recipient: str, mail: Mail) -> bytes | None:
    """Return an entry as it is sent, or None where the message is to go alone.

    A text with two braces does: whether SES would look for variables in a value isn't documented.
    """
    values = {"subject": mail.subject, "html": mail.html, "text": mail.text}
    data = _JSON.encode(values).decode()
    if _BRACES.search(data) or len(data) > MAX_DATA:
        return None
    entry = _JSON.encode(
        {
            "Destination": {"ToAddresses": [recipient]},
            "ReplacementTags": _tags(claim),
            "ReplacementHeaders": _headers(mail),
            "ReplacementEmailContent": {"ReplacementTemplate": {"ReplacementTemplateData": data}},
        }
    )
    return entry if len(entry) <= MAX_BYTES else None


def _tags(claim: Claim) -> list[Document]:
    return [
        {"Name": "route_id", "Value": str(claim.route_id)},
        {"Name": "claim", "Value": str(claim.claims)},
        # SES takes letters, digits, _ and - in a tag; no kind holds a dash of its own.
        {"Name": "kind", "Value": claim.kind.replace(".", "-")},
    ]


def _headers(mail: Mail) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in mail.headers.items()]


def _text(data: str) -> dict[str, str]:
    return {"Data": data, "Charset": "UTF-8"}
