"""Fixtures: one house for all tests, what each event was answered, and the two servers of sam."""

import hashlib
import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local import LocalError
from local.postgres import free_port
from local.sam import command, docker, provider
from local.sam.command import Servers
from local.sam.event import Document, Event, read_event
from local.sam.house import House, house
from operate import ROOT

# What has to be sent before an event means something; the first is what it is about.
NEEDS: Mapping[str, tuple[str, ...]] = {
    "both": ("device",),
    "cancel": ("scheduled",),
    "devices": ("device",),
    "get": ("both",),
    "push": ("device",),
    "replay": ("email",),
    "schedule": ("many-recipients",),
}


@dataclass
class Answers:
    """What each event was answered by sam local invoke: each is sent once, when it is asked for."""

    house: House
    given: dict[str, Document] = field(default_factory=dict)

    def to(self, name: str) -> Document:
        """Return the answer to an event."""
        if name not in self.given:
            before = [self.to(needed) for needed in NEEDS.get(name, ())]
            event = read_event(name)
            provider.give(self.house.provider_url, event.orders)
            log = Path(self.house.directory, f"{name}.log")
            document = _document(event, before)
            self.given[name] = command.invoke(self.house, event.function, document, log)
        return self.given[name]


def _document(event: Event, before: list[Document]) -> Document:
    if event.refers:
        return event.about(body_of(before[0])["notification_id"])
    if event.name != "scheduled":
        return event.document
    # Not due while the tests run, whenever that is.
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    body = {**body_of(event.document), "deliver_at": later}
    return {**event.document, "body": json.dumps(body)}


def body_of(message: Document) -> Any:
    """Return the JSON body of an event or of an answer."""
    return json.loads(message["body"])


@pytest.fixture(scope="session")
def built() -> Mapping[str, str]:
    """The package's files by their digests, as they were built; skips without Docker."""
    try:
        docker.require()
    except LocalError as error:
        pytest.skip(str(error))
    if not docker.has_image():
        pytest.skip(f"the functions' image is not here: docker pull {docker.IMAGE}")
    package = ROOT / "layers" / "dovecote" / "dovecote"
    digests = {
        str(file.relative_to(package)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in [*package.rglob("*.py"), *package.rglob("*.sql")]
    }
    subprocess.run(["make", ".venv-sam/.sam", ".aws-sam/.built"], cwd=ROOT, check=True)  # noqa: S607
    return digests


@pytest.fixture(scope="session")
def opened(built: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A database and a provider that containers reach."""
    with house(tmp_path_factory.mktemp("sam"), durable=False) as one:
        yield one


@pytest.fixture(scope="session")
def answers(opened: House) -> Answers:
    return Answers(opened)


@pytest.fixture(scope="session")
def servers(opened: House) -> Iterator[Servers]:
    """start-api and start-lambda."""
    with command.servers(opened, api_port=free_port(), lambda_port=free_port()) as both:
        yield both
