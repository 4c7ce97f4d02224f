"""What SNS knows: platform applications, their endpoints, and topics."""

import hashlib
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from local import ACCOUNT, REGION
from local.provider.protocol import AwsError, refuse

PLATFORMS = {"ADM", "APNS", "APNS_SANDBOX", "APNS_VOIP", "BAIDU", "FCM", "GCM", "MPNS", "WNS"}
DEDUPLICATION_SECONDS = 300
PREFIX = f"arn:aws:sns:{REGION}:{ACCOUNT}"


@dataclass(kw_only=True)
class Endpoint:
    """One device of a platform application."""

    arn: str
    attributes: dict[str, str]  # Token, Enabled ("true" or "false"), CustomUserData

    @property
    def platform(self) -> str:
        """Return the platform of the endpoint's application."""
        return self.arn.split("/")[1]

    @property
    def enabled(self) -> bool:
        """Tell whether SNS sends to the device."""
        return self.attributes["Enabled"].lower() == "true"


@dataclass(kw_only=True)
class Topic:
    """A topic, and for a FIFO topic what it saw in the last five minutes."""

    arn: str
    attributes: dict[str, str]
    seen: dict[str, tuple[float, str]] = field(default_factory=dict)

    @property
    def fifo(self) -> bool:
        """Tell whether the topic is a FIFO topic."""
        return self.attributes.get("FifoTopic", "").lower() == "true"

    def deduplication_id(self, given: str | None, message: str) -> str:
        """Return the id by which a message is known again."""
        if given is not None:
            return given
        if self.attributes.get("ContentBasedDeduplication", "").lower() == "true":
            return hashlib.sha256(message.encode()).hexdigest()
        raise invalid(
            "The topic should either have ContentBasedDeduplication enabled or "
            "MessageDeduplicationId provided explicitly"
        )


def invalid(message: str) -> AwsError:
    """Return SNS's error for a parameter that is wrong."""
    return AwsError(400, "InvalidParameter", f"Invalid parameter: {message}")


def not_found(message: str) -> AwsError:
    """Return SNS's error for what does not exist."""
    return AwsError(404, "NotFound", message)


class Registry:
    """Applications, endpoints and topics of one account in one region."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        # AWS does not say whether a token that is created again gets the same id.
        self.endpoint_id: Callable[[str], uuid.UUID] = lambda _token: uuid.uuid4()
        self._tell: Callable[[str, Mapping[str, str]], None] = lambda _arn, _attributes: None
        self.applications: set[str] = set()
        self.endpoints: dict[str, Endpoint] = {}
        self.topics: dict[str, Topic] = {}

    def create_application(self, name: str, platform: str) -> str:
        """Create a platform application where there is none of the name, and return its ARN."""
        named = re.fullmatch(r"[A-Za-z0-9_.-]{1,256}", name) is not None
        faults = {
            f"Platform Reason: {platform} is not supported": platform not in PLATFORMS,
            "Name Reason: must be 1 to 256 of letters, digits, _, . and -": not named,
        }
        refuse(invalid, faults)
        arn = f"{PREFIX}:app/{platform}/{name}"
        self.applications.add(arn)
        return arn

    def create_endpoint(
        self, application_arn: str, token: str, user_data: str, attributes: Mapping[str, str]
    ) -> Endpoint:
        """Create an endpoint, or return the token's own where nothing about it differs."""
        if application_arn not in self.applications:
            raise not_found("PlatformApplication does not exist")
        if not token:
            raise invalid("Token Reason: cannot be empty")
        wanted = {"Enabled": "true", "CustomUserData": user_data, **attributes, "Token": token}
        prefix = f"{application_arn.replace(':app/', ':endpoint/')}/"
        for known in self.endpoints.values():
            if known.arn.startswith(prefix) and known.attributes["Token"] == token:
                return _same(known, wanted)
        arn = f"{prefix}{self.endpoint_id(token)}"
        endpoint = Endpoint(arn=arn, attributes=wanted)
        self.endpoints[arn] = endpoint
        self._tell(arn, endpoint.attributes)
        return endpoint

    def listen(self, listener: Callable[[str, Mapping[str, str]], None]) -> None:
        """Tell somebody what each endpoint and topic is from now on; no attributes: deleted."""
        self._tell = listener

    def change_endpoint(self, arn: str, attributes: Mapping[str, str]) -> None:
        """Set attributes of an endpoint; raises NotFound."""
        endpoint = self.endpoint(arn)
        endpoint.attributes.update(attributes)
        self._tell(arn, endpoint.attributes)

    def restore(self, arn: str, attributes: Mapping[str, str]) -> None:
        """Bring an endpoint or a topic back to what the listener was told of it."""
        if ":endpoint/" not in arn:
            self.topics[arn] = Topic(arn=arn, attributes=dict(attributes))
        elif attributes:
            self.applications.add(arn.replace(":endpoint/", ":app/").rpartition("/")[0])
            self.endpoints[arn] = Endpoint(arn=arn, attributes=dict(attributes))
        else:
            self.endpoints.pop(arn, None)

    def endpoint(self, arn: str) -> Endpoint:
        """Return an endpoint; raises NotFound."""
        if arn not in self.endpoints:
            raise not_found("Endpoint does not exist")
        return self.endpoints[arn]

    def delete_endpoint(self, arn: str) -> None:
        """Delete an endpoint; one that does not exist is deleted."""
        if self.endpoints.pop(arn, None) is not None:
            self._tell(arn, {})

    def create_topic(self, name: str, attributes: Mapping[str, str]) -> Topic:
        """Create a topic, or return the one that has the name."""
        fifo = attributes.get("FifoTopic", "").lower() == "true"
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,256}" + (r"\.fifo" if fifo else ""), name):
            raise invalid("Topic Name")
        arn = f"{PREFIX}:{name}"
        if arn not in self.topics:
            self.topics[arn] = Topic(arn=arn, attributes=dict(attributes))
            self._tell(arn, attributes)
        topic = self.topics[arn]
        if not attributes.items() <= topic.attributes.items():
            raise invalid("Attributes Reason: Topic already exists with different attributes")
        return topic

    def topic(self, arn: str) -> Topic:
        """Return a topic; raises NotFound."""
        if arn not in self.topics:
            raise not_found("Topic does not exist")
        return self.topics[arn]

    def seen(self, topic: Topic, deduplication_id: str) -> str | None:
        """Return the message id under which a FIFO topic took the id in the last five minutes."""
        at, message_id = topic.seen.get(deduplication_id, (float("-inf"), ""))
        return message_id if self._clock() - at < DEDUPLICATION_SECONDS else None

    def remember(self, topic: Topic, deduplication_id: str, message_id: str) -> None:
        """Begin the five minutes of a deduplication id."""
        topic.seen[deduplication_id] = (self._clock(), message_id)


def _same(known: Endpoint, wanted: Mapping[str, str]) -> Endpoint:
    if known.attributes != wanted:
        raise invalid(
            f"Token Reason: Endpoint {known.arn} already exists with the same Token, "
            "but different attributes."
        )
    return known
