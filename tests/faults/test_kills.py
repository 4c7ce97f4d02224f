"""SIGKILL at every step of submit and of dispatch."""

import random
from pathlib import Path

import pytest

from local.provider import Running
from tests.faults.processes import Connection, a_nursery, told
from tests.faults.storm import EMAIL, blow, reckon
from tests.faults.worker import POINTS, SAFE, Nursery

pytestmark = pytest.mark.channels("email", "push")

SEED = 20261124


@pytest.fixture
def nursery(tmp_path: Path, database_url: str, provider: Running, catalog_folder: Path) -> Nursery:
    topic = provider.provider.registry.create_topic("gateway", {})
    return a_nursery(
        tmp_path,
        database_url,
        provider,
        catalog_folder,
        PUSH_TOPIC_ARN=topic.arn,
        MAX_ATTEMPTS="40",
        DISPATCH_BATCH_SIZE="6",
        EMAIL_BULK_SIZE="2",  # so that a batch has calls before and after the one that is struck
    )


def test_a_kill_at_any_step_loses_nothing_and_sends_twice_only_what_nobody_could_know(
    nursery: Nursery, connection: Connection, provider: Running
) -> None:
    storm = blow(nursery, 24, random.Random(SEED))
    assert len(storm.kills) == 12, "not every step was struck"
    # Whoever was sent twice was in the hands of a worker when that was killed.
    assert reckon(storm, nursery, connection, provider)["unexplained"] == []


def test_a_kill_where_nothing_was_accepted_or_all_is_written_down_sends_nothing_twice(
    nursery: Nursery, connection: Connection, provider: Running
) -> None:
    safe = {name: tuple(p for p in points if p in SAFE) for name, points in POINTS.items()}
    # Of one channel, in one batch and by one worker at a time: two batches are at different steps,
    # and a dispatcher claims a second one where a submit stores routes during the first.
    nursery.environment["DISPATCH_BATCH_SIZE"] = "100"
    # In one call: what the first of several has sent is written while the others send.
    nursery.environment["EMAIL_BULK_SIZE"] = "50"
    storm = blow(nursery, 12, random.Random(SEED), kind=EMAIL, points=safe, wave=1)
    assert reckon(storm, nursery, connection, provider)["sent_twice"] == 0


def test_with_events_within_the_hold_no_kill_at_all_sends_an_email_twice(
    nursery: Nursery, connection: Connection, provider: Running, database_url: str
) -> None:
    nursery.environment |= {"EMAIL_FEEDBACK": "on", "AMBIGUOUS_HOLD_SECONDS": "3"}
    with told(database_url, provider):
        storm = blow(nursery, 24, random.Random(SEED))
        reckon(storm, nursery, connection, provider)
    emails = [row.route_id for row in provider.provider.ledger.accepted if row.service == "ses"]
    assert len(storm.kills) == 12
    assert len(emails) == len(set(emails))
