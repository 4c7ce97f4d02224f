"""Which routes a notification takes: one for each recipient and target. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from uuid import UUID

import msgspec
from msgspec.structs import replace

from dovecote.catalog.kinds import Kind
from dovecote.core import strict_json
from dovecote.core.device import Device
from dovecote.core.notification import Recipient
from dovecote.core.route import Channel, NewRoute, Target

NO_EMAIL = "recipient has no email"
NO_USER = "recipient has no user_id"
NO_DEVICE = "user has no device"
NOT_THIS_DEVICE = "device is not registered"
NOT_ALLOWED = "not allowed here"


class MailRule(msgspec.Struct, frozen=True, kw_only=True):
    """Who may be mailed outside production, and where the rest goes.

    `allowed` holds addresses and @domains. Without a redirect what is not allowed is skipped; with
    neither, all may be mailed.
    """

    allowed: Sequence[str] = ()
    redirect: str = ""

    def resolve(self, email: str) -> str | None:
        """Return the address to mail instead of this one, or None where nobody may be."""
        if not self.allowed and not self.redirect:
            return email
        address = email.lower()
        domain = address[address.rindex("@") :]
        if any(entry.lower() in (address, domain) for entry in self.allowed):
            return email
        return self.redirect or None


class Routing(msgspec.Struct, frozen=True, kw_only=True):
    """How routes are made here: the rule for mail, and whether there is a push topic."""

    mail: MailRule
    topic: bool
    new_id: Callable[[], UUID]

    def routes(
        self,
        kind: Kind,
        recipients: Sequence[Recipient],
        devices: Sequence[Device],
        *,
        at_once: int,
    ) -> list[NewRoute]:
        """Return the routes of a notification in the order of its recipients.

        The first `at_once` that can be tried are marked to be stored as claimed.
        """
        owned: dict[str, list[Device]] = {}
        for device in devices:
            owned.setdefault(device.user_id, []).append(device)
        routes = [
            route for recipient in recipients for route in self._to(recipient, kind.channels, owned)
        ]
        tried = {route.route_id for route in islice(_triable(routes), at_once)}
        return [replace(r, claimed=True) if r.route_id in tried else r for r in routes]

    def _to(
        self,
        recipient: Recipient,
        channels: Sequence[Channel],
        owned: Mapping[str, Sequence[Device]],
    ) -> list[NewRoute]:
        """Return the routes to one recipient; all share the one text of the recipient's data."""
        routes = [r for channel in channels for r in self._of(channel, recipient, owned)]
        if recipient.data is None:
            return routes
        data = strict_json.text(recipient.data)
        return [replace(route, data=data) for route in routes]

    def _of(
        self, channel: Channel, recipient: Recipient, owned: Mapping[str, Sequence[Device]]
    ) -> Iterator[NewRoute]:
        if channel is Channel.EMAIL:
            yield self._email(recipient)
        else:
            yield from self._push(recipient, owned.get(recipient.user_id or "", ()))

    def _email(self, recipient: Recipient) -> NewRoute:
        if recipient.email is None:
            return self._route(recipient, Channel.EMAIL, Target.ADDRESS, skip=NO_EMAIL)
        address = self.mail.resolve(recipient.email)
        return self._route(
            recipient,
            Channel.EMAIL,
            Target.ADDRESS,
            resolved_email=address or recipient.email,
            skip=NOT_ALLOWED if address is None else None,
        )

    def _push(self, recipient: Recipient, devices: Sequence[Device]) -> Iterator[NewRoute]:
        named = recipient.device_session_id
        if recipient.user_id is None:
            yield self._route(recipient, Channel.PUSH, Target.DEVICE, session=named, skip=NO_USER)
            return
        reached = [d for d in devices if named in (None, d.device_session_id)]
        for device in reached:
            yield self._route(
                recipient,
                Channel.PUSH,
                Target.DEVICE,
                session=device.device_session_id,
                endpoint=device.endpoint,
            )
        if self.topic:
            yield self._route(recipient, Channel.PUSH, Target.TOPIC, session=named)
        elif not reached:
            skip = NOT_THIS_DEVICE if named else NO_DEVICE
            yield self._route(recipient, Channel.PUSH, Target.DEVICE, session=named, skip=skip)

    def _route(
        self,
        recipient: Recipient,
        channel: Channel,
        target: Target,
        *,
        session: str | None = None,
        endpoint: str | None = None,
        resolved_email: str | None = None,
        skip: str | None = None,
    ) -> NewRoute:
        return NewRoute(
            route_id=self.new_id(),
            channel=channel,
            target=target,
            user_id=recipient.user_id,
            device_session_id=session,
            resolved_email=resolved_email,
            locale=recipient.locale,
            data=None,
            skip=skip,
            endpoint=endpoint,
        )


def _triable(routes: Sequence[NewRoute]) -> Iterator[NewRoute]:
    return (route for route in routes if route.skip is None)
