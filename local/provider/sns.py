"""SNS by the query protocol: platform applications, endpoints, topics and Publish."""

import uuid
from collections.abc import Callable, Mapping
from xml.etree.ElementTree import Element, SubElement, tostring

from aiohttp import web

from local.provider.ledger import Push, Send
from local.provider.problem import SNS_NAMESPACE, AwsError, as_xml
from local.provider.provider import ConnectionDies, Provider, close
from local.provider.publication import Publication
from local.provider.registry import Endpoint, Topic, invalid, not_found

Form = Mapping[str, str]
Result = dict[str, str | dict[str, str]]


def add_routes(app: web.Application, provider: Provider) -> None:
    """Serve SNS at POST /."""
    app.router.add_post("/", _Service(provider).handle)


class _Service:
    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._registry = provider.registry
        self._operations: dict[str, Callable[[Form], Result]] = {
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
        try:
            if action == "Publish":
                return _answer(action, {"MessageId": await self._publish(request, form)})
            if action not in self._operations:
                raise AwsError(400, "InvalidAction", f"Could not find operation {action}")
            return _answer(action, self._operations[action](form))
        except AwsError as error:
            return as_xml(error)
        except ConnectionDies:
            return close(request)

    def _create_application(self, form: Form) -> Result:
        application = self._registry.create_application(
            form.get("Name", ""), form.get("Platform", ""), _entries(form, "Attributes")
        )
        return {"PlatformApplicationArn": application.arn}

    def _create_endpoint(self, form: Form) -> Result:
        endpoint = self._registry.create_endpoint(
            form.get("PlatformApplicationArn", ""),
            form.get("Token", ""),
            form.get("CustomUserData", ""),
            _entries(form, "Attributes"),
        )
        return {"EndpointArn": endpoint.arn}

    def _get_endpoint(self, form: Form) -> Result:
        attributes = self._registry.endpoint(form.get("EndpointArn", "")).attributes
        return {"Attributes": {name: value for name, value in attributes.items() if value}}

    def _set_endpoint(self, form: Form) -> Result:
        attributes = _entries(form, "Attributes")
        self._registry.change_endpoint(form.get("EndpointArn", ""), attributes)
        return {}

    def _delete_endpoint(self, form: Form) -> Result:
        self._registry.delete_endpoint(form.get("EndpointArn", ""))
        return {}

    def _create_topic(self, form: Form) -> Result:
        topic = self._registry.create_topic(form.get("Name", ""), _entries(form, "Attributes"))
        return {"TopicArn": topic.arn}

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
        topic = self._registry.topics.get(publication.target)
        if topic is None:
            raise not_found("Topic does not exist")
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
        message_id = str(uuid.uuid4())
        push = Push(
            target=publication.target,
            message=publication.message,
            structure=publication.structure,
            payload=payload,
            attributes=publication.attributes,
            group_id=publication.group_id,
            deduplication_id=publication.deduplication_id,
        )
        self._provider.accept(send, message_id, push)
        return message_id


def _platform(endpoint: Endpoint) -> str:
    # SNS calls Firebase GCM in messages, whatever the application was created as.
    platform = endpoint.application.platform
    return "GCM" if platform == "FCM" else platform


def _entries(form: Form, name: str) -> dict[str, str]:
    entries = {}
    index = 1
    while (key := form.get(f"{name}.entry.{index}.key")) is not None:
        entries[key] = form.get(f"{name}.entry.{index}.value", "")
        index += 1
    return entries


def _answer(action: str, result: Result) -> web.Response:
    root = Element(f"{action}Response", xmlns=SNS_NAMESPACE)
    content = SubElement(root, f"{action}Result")
    for name, value in result.items():
        member = SubElement(content, name)
        if isinstance(value, str):
            member.text = value
            continue
        for key, text in value.items():
            entry = SubElement(member, "entry")
            SubElement(entry, "key").text = key
            SubElement(entry, "value").text = text
    metadata = SubElement(root, "ResponseMetadata")
    SubElement(metadata, "RequestId").text = str(uuid.uuid4())
    return web.Response(body=tostring(root), content_type="text/xml")
