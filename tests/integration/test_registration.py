"""The channels in the database: added by each migration, and never changed."""

from typing import Any

import psycopg
import pytest

from dovecote import channels
from dovecote.channels import NAMES, NUMBERS
from dovecote.core.errors import StoreFailed
from dovecote.store.schema.migrate import migrate
from tests.builders import CHANNEL, store_routes
from tests.store import Store

Connection = psycopg.Connection[Any]
NEW = max(NUMBERS.values()) + 1


def registered(connection: Connection) -> dict[str, int]:
    return dict(connection.execute("select name, number from dovecote.channels").fetchall())


def with_state(connection: Connection) -> list[str]:
    """Return the channels that have a state of their own."""
    return [
        name
        for (name,) in connection.execute(
            "select resource from dovecote.channel_state where resource = channel order by resource"
        )
    ]


def test_a_migrated_database_has_the_channels_of_the_registry(connection: Connection) -> None:
    assert registered(connection) == NUMBERS
    assert with_state(connection) == sorted(NAMES)


def test_a_new_channel_is_added_to_a_database_in_use(
    connection: Connection, database_url: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_routes(store, 1)
    monkeypatch.setattr(channels, "NUMBERS", {**NUMBERS, "sms": NEW})
    assert migrate(database_url) == []
    assert registered(connection) == {**NUMBERS, "sms": NEW}
    assert with_state(connection) == sorted([*NAMES, "sms"])


def test_a_channel_that_is_no_longer_registered_keeps_its_rows(
    connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "NUMBERS", {})
    migrate(database_url)
    assert registered(connection) == NUMBERS
    assert with_state(connection) == sorted(NAMES)


def test_a_pause_outlasts_a_migration(
    connection: Connection, database_url: str, store: Store
) -> None:
    store.pause(CHANNEL, "Throttling", base=300, most=300, jitter=1)
    migrate(database_url)
    assert store.channel_state(CHANNEL).paused == {CHANNEL}


CHANGES = {
    "another number": ({CHANNEL: NEW}, f"channel {CHANNEL}: has number {NEW} in the registry"),
    "another name": (
        {"mail": NUMBERS[CHANNEL]},
        f"channel mail: number {NUMBERS[CHANNEL]} belongs",
    ),
    "a number that was given up": ({"sms": NEW, "mail": NEW + 1}, "channel sms: number"),
    "a number that is not the stored one": (
        {"fax": NEW + 1, "old": NEW},
        f"channel fax: has number {NEW + 1} in the registry and {NEW + 2} in the database",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_name_or_number_is_refused_and_nothing_is_added(
    connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    connection.execute(
        "insert into dovecote.channels values ('old', %s), ('fax', %s)", (NEW, NEW + 2)
    )
    before = registered(connection)
    numbers, words = CHANGES[change]
    monkeypatch.setattr(channels, "NUMBERS", {"added": NEW + 9, **numbers})
    with pytest.raises(StoreFailed, match=words):
        migrate(database_url)
    assert registered(connection) == before
    assert with_state(connection) == sorted(NAMES)
