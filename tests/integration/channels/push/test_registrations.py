"""Registrations, logouts and erasures, with a failure or another login between any two steps.

A step is one call of SNS or one transaction. Each case runs on PostgreSQL and the local provider.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import product
from threading import Barrier
from typing import Any

import boto3
import psycopg
import pytest
from botocore.config import Config

from dovecote.channels.push.endpoints import SnsEndpoints
from dovecote.core.device import Device
from dovecote.core.problems import Conflict, NotFound
from dovecote.people.devices import Devices
from dovecote.people.erasure import Erasure
from dovecote.store.database import Connection as OwnConnection
from dovecote.store.database import Database
from dovecote.store.people.devices import PostgresDevices
from dovecote.store.people.erasure import PostgresErasure
from local.provider import Running
from tests.builders import RecordingLog
from tests.store import HASHES

Connection = psycopg.Connection[Any]
Act = Callable[["Parts"], None]
Interference = Callable[[], None]

OLD, NEW = "the token of a phone", "its new token"


class Killed(BaseException):
    """The process ends here: nothing catches it."""


class Steps:
    """Counts the steps of a call, and does something right before some of them."""

    def __init__(self, before: dict[int, Interference]) -> None:
        self._before = before
        self.count = 0

    def wrap(self, inner: Any, *names: str) -> Any:
        """Return an object whose methods of these names are steps."""
        steps = self

        class Stepped:
            def __getattr__(self, name: str) -> Any:
                attribute = getattr(inner, name)
                return steps.step(attribute) if name in names else attribute

        return Stepped()

    def step(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*arguments: Any, **parameters: Any) -> Any:
            self.between()
            return call(*arguments, **parameters)

        return stepped

    def between(self) -> None:
        """Interfere before the next step, or after the last one."""
        self._before.get(self.count, lambda: None)()
        self.count += 1


class Parts:
    """The use cases on a database and a provider, each step of which is counted."""

    def __init__(self, database: Database, sns: Any, application: str, steps: Steps) -> None:
        client = steps.wrap(
            sns, "create_platform_endpoint", "set_endpoint_attributes", "delete_endpoint"
        )
        store = steps.wrap(
            PostgresDevices(database, HASHES), "put", "delete", "using", "sessions", "is_erased",
            "replace_endpoint", "endpoint_deleted",
        )  # fmt: skip
        endpoints = SnsEndpoints(client=client, applications={"GCM": application})
        self.devices = Devices(store=store, endpoints=endpoints)
        self.erasure = Erasure(
            people=steps.wrap(PostgresErasure(database, HASHES), "suppress_user", "erase_user"),
            devices=self.devices,
            expand=lambda _: False,
            limits=database,
            clock=lambda: 0.0,
            log=RecordingLog(),
        )


class Scene:
    """A database and a provider for many cases, each from the same beginning."""

    def __init__(self, database_url: str, provider: Running, connection: Connection) -> None:
        self._registry = provider.provider.registry
        self._connection = connection
        self._application = self._registry.create_application("shop", "GCM")
        self._databases = [
            Database(
                lambda: OwnConnection.connect(database_url, autocommit=True, prepare_threshold=None)
            )
            for _ in range(2)
        ]
        self._sns = boto3.client(
            "sns",
            endpoint_url=provider.url,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def close(self) -> None:
        for database in self._databases:
            database.close()

    def begin(self) -> None:
        """Forget all, and register the phone of u-1."""
        self._registry.endpoints.clear()
        endpoint = self._registry.create_endpoint(self._application, OLD, "", {})
        self._connection.execute(
            "truncate dovecote.push_devices, dovecote.retired_endpoints, dovecote.suppressions"
        )
        self._connection.execute(
            "insert into dovecote.push_devices"
            " (user_id, device_session_id, platform, token, endpoint)"
            " values ('u-1', 'phone', 'fcm', %s, %s)",
            (OLD, endpoint.arn),
        )

    def other(self, act: Act) -> None:
        """Carry out a whole call of another process."""
        act(self._parts(1, Steps({})))

    def run(self, act: Act, before: dict[int, Interference]) -> int:
        """Carry out a call with interferences; return how many steps it got to."""
        steps = Steps(before)
        try:
            act(self._parts(0, steps))
            steps.between()  # as its answer goes out
        except Killed:
            # With the process its connections end.
            self._databases[0].close()
        return steps.count

    def _parts(self, process: int, steps: Steps) -> Parts:
        return Parts(self._databases[process], self._sns, self._application, steps)

    def devices(self) -> dict[tuple[str, str], str]:
        """Return the endpoints of live devices by user and token."""
        found = self._connection.execute(
            "select user_id, token, endpoint from dovecote.push_devices where dead_at is null"
        )
        return {(user, token): endpoint for user, token, endpoint in found}

    def check(self) -> None:
        """Hold each device to its endpoint, and each endpoint to its device."""
        devices = self.devices()
        for (_, token), endpoint in devices.items():
            assert endpoint in self._registry.endpoints, "a device has lost its endpoint"
            known = self._registry.endpoints[endpoint]
            assert (known.enabled, known.attributes["Token"]) == (True, token)
        assert len({token for _, token in devices}) == len(devices), "two devices have one token"
        dead = self._connection.execute(
            "select count(*) from dovecote.push_devices where dead_at is not null"
        )
        assert dead.fetchone() == (0,)

    def check_reuse_of_orphans(self) -> None:
        """Check that the next login with the token of an orphan uses it."""
        for endpoint in self.orphans():
            token = self._registry.endpoints[endpoint].attributes["Token"]
            self.other(put("u-9", token))
            assert self.devices()["u-9", token] == endpoint

    def orphans(self) -> set[str]:
        """Return the endpoints that no device uses, nor is any on record to be deleted."""
        retired = self._connection.execute("select endpoint from dovecote.retired_endpoints")
        used = {*self.devices().values(), *(endpoint for (endpoint,) in retired)}
        return set(self._registry.endpoints) - used


@pytest.fixture(params=["another id", "the same id"])
def scene(
    request: pytest.FixtureRequest, database_url: str, provider: Running, connection: Connection
) -> Iterator[Scene]:
    """A scene with a provider that gives a token which is created again another id or the same."""
    if request.param == "the same id":
        by_token = uuid.NAMESPACE_OID
        provider.provider.registry.endpoint_id = lambda token: uuid.uuid5(by_token, token)
    made = Scene(database_url, provider, connection)
    yield made
    made.close()


def put(user: str, token: str) -> Act:
    device = {"user_id": user, "device_session_id": "phone", "platform": "fcm"}
    body = json.dumps({**device, "token": token}).encode()
    return lambda parts: check_put(parts, user, body)


def check_put(parts: Parts, user: str, body: bytes) -> None:
    # An erased user registers nothing more.
    with suppress(Conflict):
        assert parts.devices.put(body).user_id == user


def delete(user: str) -> Act:
    def act(parts: Parts) -> None:
        # Another user has taken it, or an earlier call has deleted it.
        with suppress(NotFound):
            parts.devices.delete(f"user_id={user}&device_session_id=phone")

    return act


def erase(user: str) -> Act:
    def act(parts: Parts) -> None:
        assert not parts.erasure.user(f"user_id={user}").remaining

    return act


def log_in_and_out(user: str, token: str) -> Act:
    def act(parts: Parts) -> None:
        put(user, token)(parts)
        delete(user)(parts)

    return act


CALLS: dict[str, Act] = {
    "the first registration": put("u-3", NEW),
    "the same token again": put("u-1", OLD),
    "a new token": put("u-1", NEW),
    "a login on the phone of another": put("u-2", OLD),
    "a logout": delete("u-1"),
    "an erasure": erase("u-1"),
}
OTHERS: dict[str, Act] = {
    "another user's login with the old token": put("u-2", OLD),
    "another user's login with the new token": put("u-2", NEW),
    "another user's login and logout": log_in_and_out("u-2", OLD),
    "another user's login and logout with the new token": log_in_and_out("u-2", NEW),
    "the same user's new token": put("u-1", NEW),
    "the same user's old token": put("u-1", OLD),
    "the same user's logout": delete("u-1"),
    "the same user's erasure": erase("u-1"),
}


def killed() -> None:
    raise Killed


@pytest.mark.parametrize("call", CALLS)
def test_a_call_with_another_between_any_two_steps_leaves_each_device_its_endpoint(
    scene: Scene, call: str
) -> None:
    scene.begin()
    steps = scene.run(CALLS[call], {})
    for other, place in product(OTHERS, range(steps)):
        scene.begin()
        reached = scene.run(CALLS[call], {place: partial(scene.other, OTHERS[other])})
        assert reached > place
        scene.check()
        assert scene.orphans() == set(), (call, other, place)


@pytest.mark.parametrize("call", CALLS)
def test_a_call_whose_process_dies_succeeds_when_it_is_repeated(scene: Scene, call: str) -> None:
    scene.begin()
    for death in range(scene.run(CALLS[call], {})):
        scene.begin()
        scene.run(CALLS[call], {death: killed})
        scene.run(CALLS[call], {})
        scene.check()
        assert scene.orphans() == set(), (call, death)


@pytest.mark.parametrize(
    "other", ["another user's login with the old token", "the same user's old token"]
)
@pytest.mark.parametrize("call", CALLS)
def test_a_call_whose_process_dies_after_another_came_between_succeeds_when_it_is_repeated(
    scene: Scene, call: str, other: str
) -> None:
    scene.begin()
    steps = scene.run(CALLS[call], {})
    for place in range(steps):
        for death in range(place + 1, steps):
            scene.begin()
            scene.run(CALLS[call], {place: partial(scene.other, OTHERS[other]), death: killed})
            scene.run(CALLS[call], {})
            scene.check()
            scene.check_reuse_of_orphans()


@pytest.mark.parametrize("call", ["a new token", "a logout", "an erasure"])
def test_who_logs_in_with_a_token_that_is_being_deleted_keeps_it(scene: Scene, call: str) -> None:
    scene.begin()
    for place in range(scene.run(CALLS[call], {})):
        scene.begin()
        scene.run(CALLS[call], {place: partial(scene.other, put("u-2", OLD))})
        owners = [user for user, token in scene.devices() if token == OLD]
        # A new token is registered as its own device of u-1, and the old one is u-2's.
        assert owners == ["u-2"], (call, place)


def test_another_login_after_the_death_of_a_call_uses_the_endpoint_that_was_left(
    scene: Scene,
) -> None:
    scene.begin()
    for death in range(scene.run(CALLS["a logout"], {})):
        scene.begin()
        scene.run(CALLS["a logout"], {death: killed})
        scene.other(put("u-2", OLD))
        scene.check()
        assert scene.orphans() == set()


def at_once(database_url: str, *devices: Device) -> None:
    """Store devices at the same moment, each on a connection of its own."""
    together = Barrier(len(devices))

    def store(device: Device) -> None:
        own = Database(
            lambda: OwnConnection.connect(database_url, autocommit=True, prepare_threshold=None)
        )
        together.wait()
        PostgresDevices(own, HASHES).put(device)
        own.close()

    with ThreadPoolExecutor(len(devices)) as executor:
        list(executor.map(store, devices))


def a_device(user: str, token: str) -> Device:
    return Device(
        user_id=user,
        device_session_id="phone",
        platform="fcm",
        token=token,
        endpoint=f"arn:{token}",
    )


def test_users_who_log_in_with_one_token_at_once_all_succeed_and_one_has_it(
    database_url: str, connection: Connection
) -> None:
    for number in range(20):
        at_once(database_url, *(a_device(f"u-{user}", f"t-{number}") for user in range(4)))
    found = connection.execute(
        "select endpoint from dovecote.push_devices order by endpoint"
    ).fetchall()
    assert len(found) == len(set(found)) <= 20
    (owners,) = connection.execute(
        "select count(*) from dovecote.push_devices where endpoint = 'arn:t-19'"
    ).fetchone() or (0,)
    assert owners == 1


def test_first_registrations_of_one_device_at_once_lose_no_endpoint(
    database_url: str, connection: Connection
) -> None:
    for number in range(20):
        tokens = [f"t-{number}-{one}" for one in range(4)]
        at_once(database_url, *(a_device(f"u-{number}", token) for token in tokens))
    known = connection.execute(
        "select endpoint from dovecote.push_devices"
        " union all select endpoint from dovecote.retired_endpoints"
    ).fetchall()
    assert len(known) == len(set(known)) == 80
