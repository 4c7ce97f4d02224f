"""Ids of version 7."""

import time
import uuid
from datetime import UTC, datetime

from dovecote.core.ids import uuid7


def test_an_id_is_a_uuid_of_version_7_as_the_rfc_lays_it_out() -> None:
    made = uuid7()
    assert (made.version, made.variant) == (7, uuid.RFC_4122)


def test_an_id_begins_with_the_milliseconds_since_1970() -> None:
    before = time.time_ns() // 1_000_000
    milliseconds = uuid7().int >> 80
    assert before <= milliseconds <= time.time_ns() // 1_000_000
    assert datetime.fromtimestamp(milliseconds / 1000, UTC).year >= 2026


def test_later_ids_sort_after_earlier_ones() -> None:
    made = []
    for _ in range(5):
        made.append(uuid7())
        time.sleep(0.002)
    assert sorted(made) == made


def test_ids_of_one_moment_differ_in_all_their_chance() -> None:
    many = [uuid7().int for _ in range(10_000)]
    assert len(set(many)) == len(many)
    chance = (1 << 76) - (1 << 64) | (1 << 62) - 1
    ones, zeros = 0, 0
    for one in many:
        ones |= one & chance
        zeros |= ~one & chance
    assert (ones, zeros) == (chance, chance)
