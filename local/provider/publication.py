"""One Publish: what its form says, and what SNS makes of it for a target."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from local.provider import fcm
from local.provider.registry import invalid

MAX_BYTES = 262_144


@dataclass(frozen=True, kw_only=True)
class Publication:
    """The parameters of a Publish."""

    target: str
    message: str
    structure: str | None
    subject: str | None
    attributes: Mapping[str, str]
    group_id: str | None
    deduplication_id: str | None

    @classmethod
    def read(cls, form: Mapping[str, str]) -> Self:
        """Read the form of a Publish."""
        return cls(
            target=form.get("TargetArn") or form.get("TopicArn") or "",
            message=form.get("Message", ""),
            structure=form.get("MessageStructure"),
            subject=form.get("Subject"),
            attributes=_attributes(form),
            group_id=form.get("MessageGroupId"),
            deduplication_id=form.get("MessageDeduplicationId"),
        )

    def check(self) -> None:
        """Refuse what SNS refuses whatever the target; raises AwsError."""
        if not self.target.startswith("arn:"):
            raise invalid("TopicArn or TargetArn Reason: no value for required parameter")
        if not self.message:
            raise invalid("Empty message")
        if len(self.message.encode()) > MAX_BYTES:
            raise invalid("Message too long")
        if self.subject is not None and len(self.subject) > 100:
            raise invalid("Subject")
        if self.structure not in (None, "json"):
            raise invalid("MessageStructure")

    def check_for_standard_topic(self) -> None:
        """Refuse what only a FIFO topic takes."""
        if self.deduplication_id is not None:
            raise invalid(
                "MessageDeduplicationId Reason: The request includes MessageDeduplicationId "
                "parameter that is not valid for this topic type"
            )

    def for_topic(self) -> str:
        """Return the text for a subscriber without a protocol of its own."""
        if self.structure is None:
            return self.message
        texts = self._texts()
        if "default" not in texts:
            raise invalid("Message Structure - No default entry in JSON message body")
        return texts["default"]

    def for_platform(self, platform: str) -> str:
        """Return the text for a device; raises AwsError where the platform could not read it."""
        if self.structure is None:
            return self.message
        texts = self._texts()
        if platform not in texts:
            return self.for_topic()
        self._check_for_platform(platform, _parse(texts[platform]))
        return texts[platform]

    def _check_for_platform(self, platform: str, document: Any) -> None:
        """Refuse what the platform would refuse: all but JSON objects, and wrong FCM messages."""
        refused = f"Message Reason: Invalid notification for platform {platform}"
        if not isinstance(document, dict):
            raise invalid(refused)
        if platform == "GCM" and "fcmV1Message" in document:
            try:
                fcm.check(document["fcmV1Message"])
            except fcm.NotFcm as error:
                raise invalid(f"{refused}: {error}") from None

    def event_id(self) -> str | None:
        """Return the id of the client event, wherever the message carries it."""
        texts = [self.message] if self.structure is None else list(self._readable_texts())
        events = (_client_event(_parse(text)) for text in texts)
        return next((str(event["event_id"]) for event in events if "event_id" in event), None)

    def _readable_texts(self) -> Iterator[str]:
        document = _parse(self.message)
        if isinstance(document, dict):
            yield from (text for text in document.values() if isinstance(text, str))

    def _texts(self) -> dict[str, str]:
        document = _parse(self.message)
        if not isinstance(document, dict):
            raise invalid("Message Structure - JSON message body failed to parse")
        return {name: text for name, text in document.items() if isinstance(text, str)}


def _client_event(document: Any) -> dict[str, Any]:
    """Return what may be a client event: a topic's message, APNs' payload, or FCM's data."""
    for member in ("fcmV1Message", "message", "data"):
        if isinstance(document, dict) and isinstance(document.get(member), dict):
            document = document[member]
    return document if isinstance(document, dict) else {}


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _attributes(form: Mapping[str, str]) -> dict[str, str]:
    attributes = {}
    index = 1
    while (name := form.get(f"MessageAttributes.entry.{index}.Name")) is not None:
        value = f"MessageAttributes.entry.{index}.Value"
        attributes[name] = form.get(f"{value}.StringValue", form.get(f"{value}.BinaryValue", ""))
        index += 1
    return attributes
