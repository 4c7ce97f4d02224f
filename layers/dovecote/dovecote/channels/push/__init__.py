"""Push notifications by Amazon SNS."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from dovecote.catalog.kinds import Catalog
    from dovecote.catalog.rendering import Renderer
    from dovecote.channels.definition import ChannelDefinition, Tools
    from dovecote.channels.provider_errors import Rule
    from dovecote.channels.push.channel import PushChannel
    from dovecote.channels.push.endpoints import SnsEndpoints
    from dovecote.channels.push.kind import PushKind
    from dovecote.channels.push.planning import PushPlanner
    from dovecote.channels.push.settings import PushSettings
    from dovecote.core.feedback import EndpointGone


class Push:
    """The definition of push."""

    name = "push"
    address_field = "user_id"

    def normalise(self, address: str) -> str:
        """Return a user's id as it is."""
        return address

    def settings(self) -> "type[PushSettings]":
        """Return the type of the settings PUSH_*."""
        from dovecote.channels.push.settings import PushSettings

        return PushSettings

    def section(self) -> "type[PushKind]":
        """Return the type of push's keys in a kind's entry."""
        from dovecote.channels.push.kind import PushKind

        return PushKind

    def check_catalog(self, settings: "PushSettings", catalog: "Catalog") -> None:
        """Do nothing: no kind needs a setting of push."""

    def planner(
        self, settings: "PushSettings", renderer: "Renderer", new_id: Callable[[], UUID]
    ) -> "PushPlanner":
        """Return what plans routes to devices and to the topic."""
        from dovecote.channels.push.planning import PushPlanner

        return PushPlanner(topic=bool(settings.push_topic_arn), renderer=renderer, new_id=new_id)

    def sender(self, settings: "PushSettings", tools: "Tools") -> "PushChannel":
        """Return what publishes by SNS."""
        from dovecote.channels.push.channel import PushChannel

        return PushChannel(
            client=lambda: tools.client("sns"),
            catalog=tools.catalog,
            renderer=tools.renderer,
            topic_arn=settings.push_topic_arn,
            trace_id=tools.trace_id,
            now=tools.now,
        )

    def errors(self) -> "Sequence[Rule]":
        """Return what the errors of SNS mean."""
        from dovecote.channels.push.errors import RULES

        return RULES

    def events(self, text: str) -> "Sequence[EndpointGone]":
        """Return what a platform application reports; raise BadEvent for another document."""
        from dovecote.channels.push.events import read

        return read(text)

    def endpoints(self, settings: "PushSettings", client: Callable[[str], Any]) -> "SnsEndpoints":
        """Return the endpoints of the configured platform applications."""
        from dovecote.channels.push.endpoints import SnsEndpoints

        return SnsEndpoints(client=client("sns"), applications=settings.push_applications)


CHANNEL: "ChannelDefinition[PushSettings]" = Push()
