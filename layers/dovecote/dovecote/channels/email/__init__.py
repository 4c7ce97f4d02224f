"""Email by Amazon SES."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from dovecote.core.parsing import addresses

if TYPE_CHECKING:
    from dovecote.catalog.kinds import Catalog
    from dovecote.catalog.rendering import Renderer
    from dovecote.channels.definition import ChannelDefinition, Tools
    from dovecote.channels.email.channel import EmailChannel
    from dovecote.channels.email.kind import EmailKind
    from dovecote.channels.email.planning import EmailPlanner
    from dovecote.channels.email.settings import EmailSettings
    from dovecote.channels.provider_errors import Rule
    from dovecote.core.feedback import Feedback


class Email:
    """The definition of email."""

    name = address_field = "email"

    def normalise(self, address: str) -> str:
        """Return an address as it is mailed; raise BadAddress."""
        return addresses.normalised(address)

    def settings(self) -> "type[EmailSettings]":
        """Return the type of the settings EMAIL_*."""
        from dovecote.channels.email.settings import EmailSettings

        return EmailSettings

    def section(self) -> "type[EmailKind]":
        """Return the type of email's keys in a kind's entry."""
        from dovecote.channels.email.kind import EmailKind

        return EmailKind

    def check_catalog(self, settings: "EmailSettings", catalog: "Catalog") -> None:
        """Raise BadSettings where a kind has no sender."""
        from dovecote.channels.email.kind import check_senders

        check_senders(settings, catalog)

    def planner(
        self, settings: "EmailSettings", renderer: "Renderer", new_id: Callable[[], UUID]
    ) -> "EmailPlanner":
        """Return what plans routes to addresses."""
        from dovecote.channels.email.planning import EmailPlanner, MailRule

        rule = MailRule(allowed=settings.allowed_emails, redirect=settings.email_redirect_to)
        return EmailPlanner(rule=rule, renderer=renderer, new_id=new_id)

    def sender(self, settings: "EmailSettings", tools: "Tools") -> "EmailChannel":
        """Return what sends by SES."""
        from dovecote.channels.email.channel import EmailChannel

        return EmailChannel(
            client=tools.client("sesv2"),
            catalog=tools.catalog,
            renderer=tools.renderer,
            sender=addresses.encoded(settings.email_from) if settings.email_from else "",
            configuration_set=settings.email_configuration_set,
            bulk_size=settings.email_bulk_size,
            hold_seconds=tools.hold_seconds if settings.waits_for_events else 0.0,
            fixed_rate=settings.email_rate,
        )

    def errors(self) -> "Sequence[Rule]":
        """Return what the errors of SES mean."""
        from dovecote.channels.email.errors import RULES

        return RULES

    def events(self, text: str) -> "Sequence[Feedback]":
        """Return what an event of SES reports; raise BadEvent for another document."""
        from dovecote.channels.email.events import read

        return read(text)

    def endpoints(self, _settings: "EmailSettings", _client: Callable[[str], Any]) -> None:
        """Return None: email reaches no devices."""


CHANNEL: "ChannelDefinition[EmailSettings]" = Email()
