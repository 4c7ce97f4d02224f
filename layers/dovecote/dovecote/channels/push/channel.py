"""Push by SNS: to a device's platform endpoint, or to the topic of the user's own gateway."""

import hashlib
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from dovecote.catalog.kinds import Catalog
from dovecote.catalog.rendering import Renderer, variables
from dovecote.channels.aws_errors import refused
from dovecote.channels.base import Prepared, Reply, Tools
from dovecote.channels.push.kind import FILE, Alert
from dovecote.channels.push.message import ClientEvent, Expiry, attributes, envelope, platform_of
from dovecote.channels.push.settings import PushSettings
from dovecote.core.claim import Claim
from dovecote.core.outcome import Delivered, Failed, Outcome, Unreachable
from dovecote.core.parsing import strict_json
from dovecote.core.route import Target

Request = dict[str, Any]
"""The parameters of a publish."""


class Push(Prepared, frozen=True, kw_only=True):
    """A claim's push, rendered."""

    request: Request

    def __repr__(self) -> str:
        """Name the claim, and neither its recipient nor its text."""
        return f"Push({self.claim})"


class PushChannel:
    """Publishes a claim's client event; `connect` makes the client.

    `now` returns the seconds since 1970. SNS has no events that settle doubt and no known rate.
    """

    hold_seconds = 0.0
    keeps_acceptances = False
    batch_size = 1
    max_size = 0
    rate_from_provider = False

    def __init__(
        self,
        *,
        client: Callable[[], Any],
        catalog: Catalog,
        renderer: Renderer,
        topic_arn: str,
        trace_id: Callable[[], str],
        now: Callable[[], float],
    ) -> None:
        self._client = client
        self._catalog = catalog
        self._renderer = renderer
        self._topic_arn = topic_arn
        self._trace_id = trace_id
        self._now = now

    def connect(self) -> None:
        """Make the client of SNS."""
        self._client()

    def resources(self, claim: Claim) -> Sequence[str]:
        """Return the account, and the application of the claim's device or the topic."""
        return claim.channel, self._resource(claim)

    def batch_key(self, claim: Claim) -> Hashable | None:  # noqa: ARG002 - the interface's
        """Return None: SNS publishes to one endpoint at a time."""
        return None

    def prepare(self, claim: Claim) -> Push | Outcome:
        """Render a claim's push, or say why there is nothing to publish."""
        request = self._request(claim)
        return Push(claim=claim, request=request) if isinstance(request, dict) else request

    def send(self, messages: Sequence[Push]) -> Iterable[Reply]:
        """Publish one push."""
        (push,) = messages
        return [([push.claim], self._publish(push))]

    def rate(self) -> float | None:
        """Return None: SNS names no rate."""
        return None

    def _publish(self, push: Push) -> Outcome:
        try:
            return Delivered(message_id=self._client().publish(**push.request)["MessageId"])
        except (ClientError, BotoCoreError) as error:
            return refused(error, [push.claim], self._resource(push.claim))

    def _resource(self, claim: Claim) -> str:
        if claim.target == Target.TOPIC:
            return f"{claim.channel}/topic"
        # …:endpoint/APNS/name/id, of the application …:app/APNS/name
        names = (claim.endpoint or "").split(":")[-1].split("/")
        return f"{claim.channel}/{'/'.join(names[1:3])}"

    def _request(self, claim: Claim) -> Request | Outcome:
        """Return the parameters of a publish, or the outcome of a claim that needs none."""
        if claim.user_id is None or not claim.user_id.strip():
            return Failed(error="push route missing user_id", asked=False)
        event = self._event(claim, claim.user_id)
        if claim.target == Target.TOPIC:
            return self._to_topic(event)
        return self._to_device(claim, event)

    def _event(self, claim: Claim, user_id: str) -> ClientEvent:
        return ClientEvent(
            event_id=str(claim.route_id),
            request_id=claim.idempotency_key,
            trace_id=claim.trace_id or self._trace_id(),
            kind=claim.kind,
            user_id=user_id,
            device_session_id=claim.device_session_id,
            payload=variables(claim),
        )

    def _to_topic(self, event: ClientEvent) -> Request | Outcome:
        if not self._topic_arn:
            return Failed(error="push topic is not configured", asked=False)
        request: Request = {
            "TopicArn": self._topic_arn,
            "Message": strict_json.text(event.document()),
        }
        if self._topic_arn.endswith(".fifo"):
            request["MessageDeduplicationId"] = event.event_id
            request["MessageGroupId"] = _group(event.user_id)
        return request

    def _to_device(self, claim: Claim, event: ClientEvent) -> Request | Outcome:
        kind = self._catalog.get(claim.kind)
        if kind is None:
            return Failed(error="unknown kind", asked=False)
        if claim.endpoint is None:
            return Unreachable(reason="device is dead or no longer registered")
        platform = platform_of(claim.endpoint)
        expiry = Expiry.of(claim.expires_in, self._now())
        shown = self._renderer.texts(kind, claim.locale, FILE, Alert, event.payload)
        finished = envelope(platform, shown, event, expiry)
        return {
            "TargetArn": claim.endpoint,
            "MessageStructure": "json",
            "Message": strict_json.text({"default": shown.body, platform: finished}),
            "MessageAttributes": attributes(platform, event, ttl=expiry.ttl),
        }


def sender(settings: PushSettings, tools: Tools) -> PushChannel:
    """Return what publishes by SNS."""
    return PushChannel(
        client=lambda: tools.client("sns"),
        catalog=tools.catalog,
        renderer=tools.renderer,
        topic_arn=settings.push_topic_arn,
        trace_id=tools.trace_id,
        now=tools.now,
    )


def _group(user_id: str) -> str:
    """Return a group id that SNS takes for any user id: 128 characters of printable ASCII."""
    if user_id.isascii() and user_id.isalnum() and len(user_id) <= 128:
        return user_id
    return hashlib.sha256(user_id.encode()).hexdigest()
