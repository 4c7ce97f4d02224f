"""Check the messages of a notification before it is stored, so that a fault is a 422."""

from collections.abc import Hashable, Mapping
from typing import Any

from dovecote import channels
from dovecote.catalog.kinds import Kind
from dovecote.catalog.rendering import Renderer, RenderError
from dovecote.channels.planning import Oversized, Planner
from dovecote.core.notification import Recipient, Submission


class TemplatePreview:
    """Renders the messages of a recipient and discards them."""

    def __init__(self, renderer: Renderer, planners: Mapping[str, Planner]) -> None:
        self._renderer = renderer
        self._planners = planners

    def texts(self, kind: Kind, locale: str | None) -> Hashable:
        """Return the folder of the texts that a locale has."""
        return self._renderer.folder(kind, locale)

    def reads(self, kind: Kind, locale: str | None) -> frozenset[str]:
        """Return the variables of templates that have to be rendered to be checked."""
        return self._renderer.reads(kind, locale)

    def reached(self, kind: Kind, recipient: Recipient) -> tuple[str, ...]:
        """Return the channels of a kind for which a recipient has an address."""
        return tuple(
            name
            for name in self._planners
            if name in kind.channels and recipient.address(channels.get(name).address_field)
        )

    def fault(
        self, kind: Kind, submission: Submission, recipient: Recipient
    ) -> str | Oversized | None:
        """Return why a recipient's messages cannot be made, or None."""
        variables = self._variables(kind, submission, recipient)
        try:
            for name in self.reached(kind, recipient):
                fault = self._planners[name].check(kind, submission, recipient, variables)
                if fault is not None:
                    return fault
        except RenderError as error:
            return str(error)
        return None

    def _variables(
        self, kind: Kind, submission: Submission, recipient: Recipient
    ) -> dict[str, Any]:
        """Return what the templates use of the payload with the recipient's data over it."""
        data, payload = recipient.data or {}, submission.payload
        return {
            name: data[name] if name in data else payload[name]
            for name in self._renderer.names(kind, recipient.locale)
            if name in data or name in payload
        }
