"""Push by SNS: to a device's platform endpoint, or to the topic of the user's own gateway."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError

from dovecote.catalog.kinds import Catalog
from dovecote.catalog.rendering import Renderer, variables
from dovecote.channels.aws_errors import refused
from dovecote.channels.base import Early
from dovecote.channels.push.message import ClientEvent, Expiry, attributes, envelope, platform_of
from dovecote.core import strict_json
from dovecote.core.channel_state import SendSlots
from dovecote.core.claim import Claim
from dovecote.core.outcome import Delivered, Failed, Outcome, Result, Unreachable
from dovecote.core.route import Target
from dovecote.dispatch.attempts import attempt
from dovecote.dispatch.calls import Call
from dovecote.dispatch.circuit_breaker import CircuitBreaker
from dovecote.dispatch.pool import Pool, one_by_one

Request = dict[str, Any]
"""The parameters of a publish."""


class PushChannel:
    """Publishes a claim's client event; its client is made when it is first needed.

    `now` returns the seconds since 1970.
    """

    def __init__(
        self,
        *,
        client: Callable[[], Any],
        catalog: Catalog,
        renderer: Renderer,
        pool: Pool,
        topic_arn: str,
        trace_id: Callable[[], str],
        now: Callable[[], float],
    ) -> None:
        self._client = client
        self._catalog = catalog
        self._renderer = renderer
        self._pool = pool
        self._topic_arn = topic_arn
        self._trace_id = trace_id
        self._now = now

    def resources(self, claim: Claim) -> Sequence[str]:
        """Return the account, and the application of the claim's device or the topic."""
        return claim.channel, self._resource(claim)

    def deliver(
        self,
        claims: Sequence[Claim],
        begin_before: float,
        slots: SendSlots,
        breaker: CircuitBreaker,
        early: Early | None = None,
    ) -> dict[UUID, Outcome]:
        """Publish each claim's event in its slot; begin none after `begin_before`."""
        calls = [Call(claims=[claim], slot=place) for place, claim in enumerate(claims)]
        client = self._client()
        send = one_by_one(lambda claim: self._send(client, claim))
        return self._pool.deliver(send, self.resources, calls, begin_before, slots, breaker, early)

    def late(self) -> list[Result]:
        """Return what came of sends that were left out, each once."""
        return self._pool.late()

    def _resource(self, claim: Claim) -> str:
        if claim.target == Target.TOPIC:
            return f"{claim.channel}/topic"
        # …:endpoint/APNS/name/id, of the application …:app/APNS/name
        names = (claim.endpoint or "").split(":")[-1].split("/")
        return f"{claim.channel}/{'/'.join(names[1:3])}"

    def _send(self, client: Any, claim: Claim) -> Outcome:
        request = attempt(self._request, claim)
        if not isinstance(request, dict):
            return request
        try:
            return Delivered(message_id=client.publish(**request)["MessageId"])
        except (ClientError, BotoCoreError) as error:
            return refused(error, claim, self._resource(claim))

    def _request(self, claim: Claim) -> Request | Outcome:
        """Return what SNS is asked to publish, or why there is nothing to publish."""
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
        alert = self._renderer.alert(kind, claim.locale, event.payload)
        finished = envelope(platform, alert, event, expiry)
        return {
            "TargetArn": claim.endpoint,
            "MessageStructure": "json",
            "Message": strict_json.text({"default": alert.body, platform: finished}),
            "MessageAttributes": attributes(platform, event, ttl=expiry.ttl),
        }


def _group(user_id: str) -> str:
    """Return a group id that SNS takes for any user id: 128 characters of printable ASCII."""
    if user_id.isascii() and user_id.isalnum() and len(user_id) <= 128:
        return user_id
    return hashlib.sha256(user_id.encode()).hexdigest()
