"""The provider's side of a device."""

from typing import Protocol


class Endpoints(Protocol):
    """The provider's side of a device."""

    def create(self, platform: str, token: str) -> str:
        """Return the endpoint of a token, enabled; raise TokenRefused or ProviderUnavailable."""

    def enable(self, endpoint: str, token: str) -> bool:
        """Enable an endpoint; return False where it is gone. Raises ProviderUnavailable."""

    def delete(self, endpoint: str) -> None:
        """Delete an endpoint; one that is gone is no error. Raises ProviderUnavailable."""
