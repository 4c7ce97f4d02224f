"""The provider's endpoints of devices, which one channel at most creates."""

from typing import Protocol

from dovecote.core.errors import TokenRefused


class Endpoints(Protocol):
    """The provider's side of a device."""

    def create(self, platform: str, token: str) -> str:
        """Return the endpoint of a token, enabled; raise TokenRefused or ProviderUnavailable."""

    def enable(self, endpoint: str, token: str) -> bool:
        """Enable an endpoint; return False where it is gone. Raises ProviderUnavailable."""

    def delete(self, endpoint: str) -> None:
        """Delete an endpoint; one that is gone is no error. Raises ProviderUnavailable."""


class NoEndpoints:
    """The endpoints where no channel sends to devices: none can be created, and none exists."""

    def create(self, platform: str, token: str) -> str:  # noqa: ARG002 - as Endpoints has it
        """Raise TokenRefused."""
        raise TokenRefused("no channel sends to devices")

    def enable(self, endpoint: str, token: str) -> bool:  # noqa: ARG002 - as Endpoints has it
        """Return False: the endpoint is gone."""
        return False

    def delete(self, endpoint: str) -> None:
        """Do nothing: the endpoint is gone."""
