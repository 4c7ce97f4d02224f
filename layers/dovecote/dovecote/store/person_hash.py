"""Hashes that identify people and content, and confirm no guess to a reader without the key."""

import hmac

import msgspec

USER = "user_id"

BYTES = 16
"""The bytes of a hash: RFC 2104 permits half of HMAC-SHA-256."""


class PersonHash(msgspec.Struct, frozen=True):
    """Computes hashes with the key of the installation, which can never change."""

    key: str

    def of(self, field: str, value: str) -> bytes:
        """Return the hash of a user by `user_id`, or of an address by any other field.

        ASCII upper and lower case of an address are the same.
        """
        if field == USER:
            return self._hash(b"user", value.encode())
        return self._hash(b"address", value.encode().lower())

    def user(self, user_id: str) -> bytes:
        """Return the hash of a user."""
        return self.of(USER, user_id)

    def address(self, address: str) -> bytes:
        """Return the hash of an address."""
        return self.of("address", address)

    def fingerprint(self, digest: str) -> bytes:
        """Return the fingerprint of content that has this digest."""
        return self._hash(b"fingerprint", digest.encode())

    def _hash(self, use: bytes, value: bytes) -> bytes:
        """Return the hash of a value; two uses of one value have two hashes."""
        return hmac.digest(self.key.encode(), use + b"\0" + value, "sha256")[:BYTES]

    def __repr__(self) -> str:
        """Do not show the key."""
        return "PersonHash()"
