"""A site to look at: clients whose answers are held against botocore's models, a clock to turn."""

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.response import StreamingBody
from botocore.stub import Stubber

from operate import ROOT
from operate.api import Api
from operate.aws import Answer, Aws
from operate.finding import Finding
from operate.samconfig import Section
from operate.site import Site, Stack

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
REGION = "eu-central-1"
ACCOUNT = "123456789012"
APNS = f"arn:aws:sns:{REGION}:{ACCOUNT}:app/APNS/shop"
FCM = f"arn:aws:sns:{REGION}:{ACCOUNT}:app/GCM/shop"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:dovecote-dev-push-feedback"
# Of nobody: the clients are stubbed, and moto looks at none.
SESSION = boto3.Session(
    aws_access_key_id="AKIAEXAMPLE",
    aws_secret_access_key="example",
    region_name=REGION,
)
OUTPUTS = {
    "ApiUrl": "https://api.example.com",
    "SubmitFunctionName": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:dovecote-dev-submit:live",
    "DispatchFunctionName": "dovecote-dev-dispatch",
    "ApiFunctionName": "dovecote-dev-api",
    "FeedbackFunctionName": "dovecote-dev-feedback",
    "PurgeFunctionName": "dovecote-dev-purge",
    "ScheduleName": "dovecote-dev-dispatch",
    "EmailConfigurationSetName": "dovecote-dev",
    "DashboardUrl": "https://console.example.com",
}


class Clock:
    """A time that passes where somebody sleeps."""

    def __init__(self) -> None:
        self.time = NOON

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class StubbedAws:
    """Clients that answer what they were told to, in that order."""

    region = REGION

    def __init__(self) -> None:
        self._clients: dict[str, Any] = {}
        self._stubs: dict[str, Stubber] = {}
        self.pages: list[Answer] = []
        self.asked: list[str] = []

    def client(self, service: str) -> Any:
        if service not in self._clients:
            make: Any = SESSION.client
            self._clients[service] = make(service)
            self._stubs[service] = Stubber(self._clients[service])
            self._stubs[service].activate()
        return self._clients[service]

    def answers(
        self, service: str, method: str, response: dict[str, Any], expected: Any = None
    ) -> None:
        """Have a call answered; its parameters are held against those expected, if any."""
        self.client(service)
        self._stubs[service].add_response(method, response, expected)

    def refuses(self, service: str, method: str, code: str, message: str = "no") -> None:
        """Have a call refused by a code of AWS's."""
        self.client(service)
        self._stubs[service].add_client_error(method, code, message)

    def send(self, _method: str, url: str, _body: bytes = b"") -> Answer:
        self.asked.append(url)
        return self.pages.pop(0) if len(self.pages) > 1 else self.pages[0]

    def assert_asked(self) -> None:
        """Fail where an answer was not fetched."""
        for stub in self._stubs.values():
            stub.assert_no_pending_responses()


class AnApi:
    """An API that answers by method and path, 404 else, and keeps what it was sent."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.bodies: list[bytes] = []
        self.sent: list[tuple[str, Any]] = []
        self.api = Api("https://api.example.com", self._send)

    def _send(self, method: str, url: str, body: bytes) -> Answer:
        call = f"{method} {url.removeprefix('https://api.example.com')}"
        self.bodies.append(body)
        self.sent.append((call, json.loads(body or b"null")))
        status, document = self.answers.get(call, (404, {"detail": "There is none."}))
        return Answer(status=status, body=json.dumps(document).encode())


def a_stack(status: str = "UPDATE_COMPLETE", **outputs: str) -> Stack:
    """Return a deployed stack with the usual outputs and these."""
    return Stack(name="dovecote-dev", status=status, outputs={**OUTPUTS, **outputs}, parameters={})


def a_site(aws: Aws, *, stack: Stack | None = None, **parameters: str) -> Site:
    """Return a site of the template in this checkout, with parameters of its own."""
    site = Site(root=ROOT, environment="dev", reach=lambda _: aws, clock=Clock())
    site.section = Section(
        environment="dev",
        stack_name="dovecote-dev",
        region=REGION,
        profile=None,
        parameters=parameters,
    )
    site.stack = stack
    return site


def lines(findings: Any) -> list[str]:
    """Return what is printed."""
    return [str(finding) for finding in findings]


def marks(findings: list[Finding]) -> list[str]:
    """Return how the lines begin."""
    return [str(finding.mark) for finding in findings]


def payload(document: Any) -> StreamingBody:
    """Return what Lambda's Invoke answers with."""
    raw = json.dumps(document).encode()
    return StreamingBody(io.BytesIO(raw), len(raw))
