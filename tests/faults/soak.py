"""The fault tests for minutes, with random seeds that it prints: make soak.

SOAK_MINUTES says how many, SOAK_SEED=n repeats the round of a seed. make test does not collect it:
the file has no test_ before its name.
"""

import os
import random
import secrets
import time
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

import psycopg
import pytest

from dovecote.store.schema.migrate import migrate
from local.provider import Fault, Order, Running, running
from tests.conftest import create_database, drop_database, named
from tests.faults.processes import a_nursery, told
from tests.faults.storm import Storm, blow, reckon
from tests.faults.test_life import assert_promises_hold
from tests.faults.worker import POINTS

MINUTES = float(os.environ.get("SOAK_MINUTES", "4"))
KILLS = 24
AT_LEAST = 200


@pytest.mark.timeout(3600)
def test_kills_at_every_step_for_minutes(
    tmp_path: Path, server_url: str, template: str, catalog_folder: Path
) -> None:
    asked = os.environ.get("SOAK_SEED")
    if asked:
        _round(tmp_path, server_url, template, catalog_folder, int(asked))
        return
    ends = time.monotonic() + MINUTES * 60
    kills: Counter[tuple[str, str]] = Counter()
    rounds = twice = 0
    while time.monotonic() < ends or kills.total() < AT_LEAST:
        seed = secrets.randbits(31) * 2 + rounds % 2
        storm, sent_twice = _round(tmp_path, server_url, template, catalog_folder, seed)
        kills += storm.kills
        twice += sent_twice
        rounds += 1
    print(f"soak: {rounds} rounds, {kills.total()} kills, {twice} routes sent twice")
    for (function, point), count in sorted(kills.items()):
        print(f"soak: {count:4} at {function}, {point}")
    assert len(kills) == sum(map(len, POINTS.values())), "not every step was struck"


@pytest.mark.timeout(3600)
def test_a_thousand_lives(database_url: str) -> None:
    assert_promises_hold(database_url, examples=int(MINUTES * 200))


def _round(
    directory: Path, server_url: str, template: str, catalog: Path, seed: int
) -> tuple[Storm, int]:
    """Kill beside a provider that fails now and then; an odd seed has events within the hold."""
    chance = random.Random(seed)
    feedback = seed % 2 == 1
    name = f"dovecote_soak_{seed}"
    create_database(server_url, name, template)
    url = named(server_url, name)
    migrate(url)
    try:
        with running() as provider, psycopg.connect(url, autocommit=True) as connection:
            topic = provider.provider.registry.create_topic("gateway", {})
            nursery = a_nursery(
                directory,
                url,
                provider,
                catalog,
                PUSH_TOPIC_ARN=topic.arn,
                MAX_ATTEMPTS="60",
                DISPATCH_BATCH_SIZE="6",
                EMAIL_FEEDBACK="on" if feedback else "off",
                AMBIGUOUS_HOLD_SECONDS="3",
            )
            _trouble(provider, chance)
            with told(url, provider) if feedback else nullcontext():
                storm = blow(nursery, KILLS, chance)
                provider.provider.withdraw()
                reckoning = reckon(storm, nursery, connection, provider)
            emails = Counter(
                row.route_id for row in provider.provider.ledger.accepted if row.service == "ses"
            )
    finally:
        drop_database(server_url, name)
    print(
        f"soak: seed {seed}, events {'on' if feedback else 'off'}, {storm.count} kills,"
        f" {reckoning['sent_twice']} routes sent twice"
    )
    assert not feedback or max(emails.values()) == 1, "an email was sent twice, with events"
    return storm, reckoning["sent_twice"]


def _trouble(provider: Running, chance: random.Random) -> None:
    """Let the provider fail now and then, in each of its ways."""
    for fault in chance.sample(list(FAULTS), 2):
        provider.provider.give(Order(do=fault, rate=0.05, whole=True, seconds=1.5))


FAULTS = (
    Fault.THROTTLE,
    Fault.ERROR,
    Fault.STALL_AFTER_ACCEPTING,
    Fault.CLOSE_BEFORE_ACCEPTING,
    Fault.CLOSE_AFTER_ACCEPTING,
)
