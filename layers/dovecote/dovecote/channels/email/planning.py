"""Plan the route of an email, and check that it can be rendered."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from dovecote.catalog.kinds import Kind
from dovecote.catalog.rendering import Renderer
from dovecote.channels.email import mail
from dovecote.channels.email.settings import EmailSettings
from dovecote.core.device import UserDevice
from dovecote.core.notification import Recipient, Submission
from dovecote.core.route import NewRoute, Target

NO_EMAIL = "recipient has no email"
NOT_ALLOWED = "not allowed here"


class MailRule(msgspec.Struct, frozen=True, kw_only=True):
    """Who may be mailed outside production, and where the rest goes.

    `allowed` holds addresses and @domains. Without a redirect what is not allowed is skipped; with
    neither, all may be mailed.
    """

    allowed: Sequence[str] = ()
    redirect: str = ""

    def resolve(self, email: str) -> str | None:
        """Return the address to mail instead of this one, or None where none may be."""
        if not self.allowed and not self.redirect:
            return email
        address = email.lower()
        domain = address[address.rindex("@") :]
        if any(entry.lower() in (address, domain) for entry in self.allowed):
            return email
        return self.redirect or None


class EmailPlanner:
    """Plans one route to the address of a recipient."""

    uses_devices = False

    def __init__(self, *, rule: MailRule, renderer: Renderer, new_id: Callable[[], UUID]) -> None:
        self._rule = rule
        self._renderer = renderer
        self._new_id = new_id

    def routes(
        self, recipient: Recipient, _devices: Sequence[UserDevice] | None
    ) -> Sequence[NewRoute]:
        """Return the route to a recipient's address, or the skip of one who has none."""
        address = recipient.address("email")
        if address is None:
            return [self._route(recipient, None, NO_EMAIL)]
        resolved = self._rule.resolve(address)
        skip = NOT_ALLOWED if resolved is None else None
        return [self._route(recipient, resolved or address, skip)]

    def check(
        self,
        kind: Kind,
        _submission: Submission,
        recipient: Recipient,
        variables: Mapping[str, Any],
    ) -> None:
        """Raise RenderError where the email cannot be rendered."""
        mail.check(self._renderer, kind, recipient.locale, variables)

    def _route(self, recipient: Recipient, address: str | None, skip: str | None) -> NewRoute:
        return NewRoute(
            route_id=self._new_id(),
            channel="email",
            target=Target.ADDRESS,
            user_id=recipient.user_id,
            device_session_id=None,
            address=address,
            locale=recipient.locale,
            data=None,
            skip=skip,
        )


def planner(
    settings: EmailSettings, renderer: Renderer, new_id: Callable[[], UUID]
) -> EmailPlanner:
    """Return what plans routes to addresses."""
    rule = MailRule(allowed=settings.allowed_emails, redirect=settings.email_redirect_to)
    return EmailPlanner(rule=rule, renderer=renderer, new_id=new_id)
