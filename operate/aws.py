"""The AWS of one environment: the only place that makes clients and signs requests."""

from dataclasses import dataclass
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import NoCredentialsError, NoRegionError
from botocore.httpsession import URLLib3Session

from operate.samconfig import Section

CONNECT_SECONDS = 5
# Submit may take 25 s, and is waited for.
READ_SECONDS = 30
CONFIG = Config(
    connect_timeout=CONNECT_SECONDS,
    read_timeout=READ_SECONDS,
    retries={"total_max_attempts": 2, "mode": "standard"},
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the HTTP API answered."""

    status: int
    body: bytes


def send_unsigned(method: str, url: str, body: bytes = b"") -> Answer:
    """Return the answer to a request without a signature; raise BotoCoreError."""
    return _sent(_request(method, url, body))


class Aws:
    """AWS by boto3, in the region and by the profile of a section."""

    def __init__(self, section: Section) -> None:
        self._session = boto3.Session(profile_name=section.profile, region_name=section.region)
        self._clients: dict[str, Any] = {}

    @property
    def region(self) -> str | None:
        """Return the section's region, else that of AWS_DEFAULT_REGION or the profile."""
        return self._session.region_name

    def client(self, service: str) -> Any:
        """Return the client of a service, made once."""
        if service not in self._clients:
            make: Any = self._session.client
            self._clients[service] = make(service, config=CONFIG)
        return self._clients[service]

    def send(self, method: str, url: str, body: bytes = b"") -> Answer:
        """Return the answer to a request that is signed for execute-api; raise BotoCoreError."""
        credentials = self._session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        if self.region is None:
            raise NoRegionError
        request = _request(method, url, body)
        signer = SigV4Auth(credentials.get_frozen_credentials(), "execute-api", self.region)
        signer.add_auth(request)
        return _sent(request)


def _request(method: str, url: str, body: bytes) -> AWSRequest:
    headers = {"Content-Type": "application/json"} if body else {}
    return AWSRequest(method=method, url=url, data=body, headers=headers)


def _sent(request: AWSRequest) -> Answer:
    response = URLLib3Session(timeout=READ_SECONDS).send(request.prepare())
    return Answer(status=response.status_code, body=response.content)
