"""SNS by the query protocol: platform applications, endpoints, topics and Publish."""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Self

from aiohttp import web

from local.provider import fcm
from local.provider.ledger import Push, Send
from local.provider.protocol import AwsError, Content, refuse, xml_answer
from local.provider.provider import Provider
from local.provider.registry import Endpoint, Topic, invalid

MAX_BYTES = 262_144
ATTRIBUTE_VALUES = ("Value.StringValue", "Value.BinaryValue")
Form = Mapping[str, str]
Texts = dict[str, str]


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
    def read(cls, form: Form) -> Self:
        """Read the form of a Publish."""
        return cls(
            target=form.get("TargetArn") or form.get("TopicArn") or "",
            message=form.get("Message", ""),
            structure=form.get("MessageStructure"),
            subject=form.get("Subject"),
            attributes=entries(form, "MessageAttributes", "Name", ATTRIBUTE_VALUES),
            group_id=form.get("MessageGroupId"),
            deduplication_id=form.get("MessageDeduplicationId"),
        )

    def check(self) -> None:
        """Refuse what SNS refuses whatever the target; raises AwsError."""
        missing = "TopicArn or TargetArn Reason: no value for required parameter"
        refuse(
            invalid,
            {
                missing: not self.target.startswith("arn:"),
                "Empty message": not self.message,
                "Message too long": len(self.message.encode()) > MAX_BYTES,
                "Subject": self.subject is not None and len(self.subject) > 100,
                "MessageStructure": self.structure not in (None, "json"),
            },
        )

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


def add_routes(app: web.Application, provider: Provider) -> None:
    """Serve SNS at POST /."""
    app.router.add_post("/", _Service(provider).handle)


class _Service:
    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._registry = provider.registry
        self._operations: dict[str, Callable[[Form], Content]] = {
            "CreatePlatformApplication": self._create_application,
            "CreatePlatformEndpoint": self._create_endpoint,
            "GetEndpointAttributes": self._get_endpoint,
            "SetEndpointAttributes": self._set_endpoint,
            "DeleteEndpoint": self._delete_endpoint,
            "CreateTopic": self._create_topic,
        }

    async def handle(self, request: web.Request) -> web.Response:
        """Carry out the operation that a form names."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        action = form.get("Action", "")
        if action == "Publish":
            return xml_answer(action, [("MessageId", await self._publish(request, form))])
        if action not in self._operations:
            raise AwsError(400, "InvalidAction", f"Could not find operation {action}")
        return xml_answer(action, self._operations[action](form))

    def _create_application(self, form: Form) -> Content:
        arn = self._registry.create_application(form.get("Name", ""), form.get("Platform", ""))
        return [("PlatformApplicationArn", arn)]

    def _create_endpoint(self, form: Form) -> Content:
        endpoint = self._registry.create_endpoint(
            form.get("PlatformApplicationArn", ""),
            form.get("Token", ""),
            form.get("CustomUserData", ""),
            entries(form, "Attributes"),
        )
        return [("EndpointArn", endpoint.arn)]

    def _get_endpoint(self, form: Form) -> Content:
        attributes = self._registry.endpoint(form.get("EndpointArn", "")).attributes
        given = [[("key", name), ("value", value)] for name, value in attributes.items() if value]
        return [("Attributes", [("entry", entry) for entry in given])]

    def _set_endpoint(self, form: Form) -> Content:
        attributes = entries(form, "Attributes")
        self._registry.change_endpoint(form.get("EndpointArn", ""), attributes)
        return ""

    def _delete_endpoint(self, form: Form) -> Content:
        self._registry.delete_endpoint(form.get("EndpointArn", ""))
        return ""

    def _create_topic(self, form: Form) -> Content:
        topic = self._registry.create_topic(form.get("Name", ""), entries(form, "Attributes"))
        return [("TopicArn", topic.arn)]

    async def _publish(self, request: web.Request, form: Form) -> str:
        publication = Publication.read(form)
        endpoint = self._registry.endpoints.get(publication.target)
        tokens = () if endpoint is None else (endpoint.attributes["Token"],)
        send = Send(
            service="sns",
            operation="Publish",
            targets=(publication.target, *tokens),
            tags=publication.attributes,
            route_id=publication.event_id(),
        )
        return await self._provider.carry_out(
            request, send, lambda: self._accept(send, publication)
        )

    def _accept(self, send: Send, publication: Publication) -> str:
        publication.check()
        if ":endpoint/" in publication.target:
            return self._accept_for_endpoint(send, publication)
        return self._accept_for_topic(send, publication)

    def _accept_for_endpoint(self, send: Send, publication: Publication) -> str:
        endpoint = self._registry.endpoints.get(publication.target)
        if endpoint is None:
            raise invalid("TargetArn Reason: No endpoint found for the target arn specified")
        if not endpoint.enabled:
            raise AwsError(400, "EndpointDisabled", "Endpoint is disabled")
        return self._write(send, publication, publication.for_platform(_platform(endpoint)))

    def _accept_for_topic(self, send: Send, publication: Publication) -> str:
        topic = self._registry.topic(publication.target)
        payload = publication.for_topic()
        if not topic.fifo:
            publication.check_for_standard_topic()
            return self._write(send, publication, payload)
        return self._accept_once(send, publication, topic, payload)

    def _accept_once(self, send: Send, publication: Publication, topic: Topic, payload: str) -> str:
        if publication.group_id is None:
            raise invalid("The MessageGroupId parameter is required for FIFO topics")
        known_by = topic.deduplication_id(publication.deduplication_id, publication.message)
        seen = self._registry.seen(topic, known_by)
        if seen is not None:
            return seen
        message_id = self._write(send, publication, payload)
        self._registry.remember(topic, known_by, message_id)
        return message_id

    def _write(self, send: Send, publication: Publication, payload: str) -> str:
        push = Push(
            target=publication.target,
            message=publication.message,
            structure=publication.structure,
            payload=payload,
            attributes=publication.attributes,
            group_id=publication.group_id,
            deduplication_id=publication.deduplication_id,
        )
        return self._provider.accept(send, str(uuid.uuid4()), push)


def _platform(endpoint: Endpoint) -> str:
    # SNS calls Firebase GCM in messages, whatever the application was created as.
    platform = endpoint.platform
    return "GCM" if platform == "FCM" else platform


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


def entries(form: Form, name: str, key: str = "key", values: Sequence[str] = ("value",)) -> Texts:
    """Return the map that numbered entries of a form spell; a value is the first that is there."""
    found = {}
    for number in count(1):
        entry = f"{name}.entry.{number}."
        if entry + key not in form:
            break
        given = (form[entry + value] for value in values if entry + value in form)
        found[form[entry + key]] = next(given, "")
    return found
