"""Platform endpoints at SNS: one for each device token."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from dovecote.channels.push.message import PLATFORMS
from dovecote.channels.push.settings import PushSettings
from dovecote.core.errors import ProviderUnavailable, TokenRefused

TRIES = 3
"""How often an endpoint is created that another call deletes."""

_TAKEN = re.compile(r"Endpoint (arn:\S+) already exists with the same Token")


class SnsEndpoints:
    """Creates and deletes the endpoints of the configured platform applications."""

    def __init__(self, *, client: Any, applications: Mapping[str, str]) -> None:
        self._client = client
        self._applications = {
            PLATFORMS[name]: arn for name, arn in applications.items() if name in PLATFORMS
        }

    def create(self, platform: str, token: str) -> str:
        """Return the endpoint of a token, enabled; raise TokenRefused.

        SNS answers with the endpoint that a token has, but keeps it disabled if it was, and
        refuses where its attributes differ: the ARN is then only in the words of the error. An
        endpoint that another call deletes before it is enabled is created again.
        """
        application = self._applications.get(platform)
        if application is None:
            raise TokenRefused(f"platform must be one of {', '.join(self._applications) or 'none'}")
        for _ in range(TRIES):
            with _translated():
                endpoint = self._endpoint(application, token)
            if self.enable(endpoint, token):
                return endpoint
        raise ProviderUnavailable("EndpointDeleted")

    def enable(self, endpoint: str, token: str) -> bool:
        """Enable the endpoint of a token; return False where it does not exist any more."""
        attributes = {"Enabled": "true", "Token": token}
        with _translated():
            try:
                self._client.set_endpoint_attributes(EndpointArn=endpoint, Attributes=attributes)
            except self._client.exceptions.NotFoundException:
                return False
        return True

    def delete(self, endpoint: str) -> None:
        """Delete an endpoint; SNS takes one that is gone."""
        with _translated():
            self._client.delete_endpoint(EndpointArn=endpoint)

    def _endpoint(self, application: str, token: str) -> str:
        try:
            answer = self._client.create_platform_endpoint(
                PlatformApplicationArn=application, Token=token
            )
        except self._client.exceptions.InvalidParameterException as error:
            return _existing(error)
        return str(answer["EndpointArn"])


def endpoints(settings: PushSettings, client: Callable[[str], Any]) -> SnsEndpoints:
    """Return the endpoints of the configured platform applications."""
    return SnsEndpoints(client=client("sns"), applications=settings.push_applications)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise ProviderUnavailable(type(error).__name__) from None


def _existing(error: ClientError) -> str:
    """Return the endpoint that the token has already, or raise TokenRefused."""
    taken = _TAKEN.search(error.response.get("Error", {}).get("Message", ""))
    if taken is None:
        raise TokenRefused("the push provider does not take this token") from None
    return taken.group(1)
