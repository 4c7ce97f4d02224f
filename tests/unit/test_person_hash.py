"""Hashes of people: keyed, of one length, and different for each use."""

import hashlib
import hmac

import pytest

from dovecote.store.person_hash import PersonHash

KEY = "k" * 64
HASHES = PersonHash(KEY)


def test_a_hash_is_half_of_an_hmac() -> None:
    whole = hmac.new(KEY.encode(), b"address\0ann@example.com", hashlib.sha256).digest()
    assert HASHES.address("ann@example.com") == whole[:16]


@pytest.mark.parametrize("spelt", ["Ann@example.com", "ANN@EXAMPLE.COM", "ann@Example.com"])
def test_addresses_differ_by_no_ascii_case(spelt: str) -> None:
    assert HASHES.address(spelt) == HASHES.of("email", spelt) == HASHES.address("ann@example.com")


@pytest.mark.parametrize("other", ["U-1", "U-1 ", "u-1\u0130"])
def test_what_is_not_the_same_has_another_hash(other: str) -> None:
    assert HASHES.user(other) not in (HASHES.user("u-1"), HASHES.user(other.lower()))


def test_each_use_and_each_key_has_another_hash() -> None:
    value = "ann@example.com"
    found = [HASHES.user(value), HASHES.address(value), HASHES.fingerprint(value)]
    found += [PersonHash("j" * 64).user(value)]
    assert len(set(found)) == 4


def test_the_key_is_not_shown() -> None:
    assert "kkk" not in repr(HASHES)
