"""What SES is asked to send: one message by SendEmail, or many by SendBulkEmail.

In a bulk call each entry carries its rendered parts as the values of an inline template. SES makes
only simple substitutions in those, and escapes nothing
(https://docs.aws.amazon.com/ses/latest/dg/send-personalized-email-advanced.html).
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from dovecote.channels.rendering import Mail
from dovecote.model import Claim

TEMPLATE = {"Subject": "{{subject}}", "Html": "{{html}}", "Text": "{{text}}"}
"""Passes the rendered parts through as they are."""

MAX_DATA = 262_144
"""The characters that SES takes as one entry's values."""

MAX_BYTES = 900_000
"""What a bulk call's entries may come to: SES takes 1 MB of JSON with an inline template."""

Document = dict[str, Any]


class Letterhead(msgspec.Struct, frozen=True, kw_only=True):
    """What all messages of a call have in common."""

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


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A claim's email, rendered."""

    claim: Claim
    recipient: str
    mail: Mail


def single(head: Letterhead, message: Message) -> Document:
    """Return the request of a SendEmail."""
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


def bulk(head: Letterhead, messages: Sequence[Message]) -> Document:
    """Return the request of a SendBulkEmail."""
    return {
        **head.document(),
        "DefaultContent": {"Template": {"TemplateContent": TEMPLATE, "TemplateData": "{}"}},
        "BulkEmailEntries": [_entry(message) for message in messages],
    }


def parts(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """Yield messages that go into one call by their size; what no bulk call takes goes alone."""
    part: list[Message] = []
    room = MAX_BYTES
    for message in messages:
        size = _size(message)
        if size is None:
            yield [message]
            continue
        if part and size > room:
            yield part
            part, room = [], MAX_BYTES
        part.append(message)
        room -= size
    if part:
        yield part


def _size(message: Message) -> int | None:
    """Return the bytes of an entry as it is sent, or None where it is to go alone.

    A text with two braces does: whether SES would look for variables in a value isn't documented.
    """
    mail = message.mail
    if any("{{" in text for text in (mail.subject, mail.html, mail.text)):
        return None
    if len(_data(mail)) > MAX_DATA:
        return None
    size = len(json.dumps(_entry(message)))
    return size if size <= MAX_BYTES else None


def _entry(message: Message) -> Document:
    return {
        "Destination": {"ToAddresses": [message.recipient]},
        "ReplacementTags": _tags(message.claim),
        "ReplacementHeaders": _headers(message.mail),
        "ReplacementEmailContent": {
            "ReplacementTemplate": {"ReplacementTemplateData": _data(message.mail)}
        },
    }


def _data(mail: Mail) -> str:
    # Not shortened to ASCII: each character counts once towards what SES takes.
    return json.dumps(
        {"subject": mail.subject, "html": mail.html, "text": mail.text}, ensure_ascii=False
    )


def _tags(claim: Claim) -> list[dict[str, str]]:
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
