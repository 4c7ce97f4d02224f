"""Erase people: a user or an address, from all stored records."""

from collections.abc import Iterator
from typing import Protocol

import msgspec
from msgspec.structs import asdict, replace

from dovecote.core.errors import ANSWER_SECONDS
from dovecote.core.inbox import Expand
from dovecote.core.parsing import queries
from dovecote.core.ports import Clock, Log, TimeLimits
from dovecote.people.devices import Devices


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of an erasure, and whether routes may remain.

    `in_flight` routes are counted in `routes`: a worker may be sending them, or may have sent them.
    """

    routes: int
    in_flight: int
    devices: int = 0
    remaining: bool


MOST = 500
"""How many routes one transaction erases: it takes tens of milliseconds."""

BEGIN_SECONDS = 3.0
"""How long after the start of a request erasure still begins another batch or device."""


class People(Protocol):
    """The store of people. Every call may raise StoreError."""

    def erase_user(self, user_id: str, most: int) -> Iterator[Erased]:
        """Erase a user from so many routes at a time, and yield the counts of each transaction.

        Suppress the addresses that no other user has.
        """

    def erase_address(self, address: str, most: int) -> Iterator[Erased]:
        """Erase an address, and its users, from so many routes at a time; yield as `erase_user`."""

    def suppress_user(self, user_id: str) -> None:
        """Suppress a user by a hash alone.

        A submission at the same time is stored before the suppression, or without the user.
        """

    def suppress_address(self, address: str) -> None:
        """Suppress an address by its hash alone, as `suppress_user` does."""


class Erasure(msgspec.Struct, kw_only=True):
    """Use cases that erase a person.

    A caller must repeat an erasure that reports `remaining`. Each erased route is counted once.
    The suppression comes first: from then on nothing is stored for the person. Pending submissions
    in SQL that may concern the person are expanded, so that the inbox names the person no more.
    """

    people: People
    devices: Devices
    expand: Expand
    limits: TimeLimits
    clock: Clock
    log: Log

    def user(self, query: str) -> Erased:
        """Erase a user, and suppress the user and the addresses that no other user has.

        Devices come first: if SNS is out of reach, no erased route is missing from a count. Raises
        Malformed, Invalid, Unavailable and ProviderUnavailable.
        """
        readers = {"user_id": queries.identifier}
        user_id = queries.read(
            query, readers, "The request does not name a user to erase.", required=readers
        )["user_id"]
        ends = self.clock() + BEGIN_SECONDS
        with self.limits.within(ANSWER_SECONDS):
            self.people.suppress_user(user_id)
            sessions = self.devices.sessions(user_id)
            gone = sum(self._forget(user_id, session, ends) for session in sessions)
            pending = self.expand({"user_id": user_id})
            erased = self._erased(self.people.erase_user(user_id, MOST), ends)
        left = erased.remaining or pending or gone < len(sessions)
        return self._logged(replace(erased, devices=gone, remaining=left))

    def recipient(self, query: str) -> Erased:
        """Erase an address, and suppress it by its hash alone.

        Raises Malformed, Invalid and Unavailable.
        """
        readers = {"email": queries.email}
        address = queries.read(
            query, readers, "The request does not name an address to erase.", required=readers
        )["email"]
        ends = self.clock() + BEGIN_SECONDS
        with self.limits.within(ANSWER_SECONDS):
            self.people.suppress_address(address)
            pending = self.expand({"address": address})
            erased = self._erased(self.people.erase_address(address, MOST), ends)
        return self._logged(replace(erased, remaining=erased.remaining or pending))

    def _forget(self, user_id: str, session: str, ends: float) -> bool:
        """Delete a device if there is time; return whether there was."""
        in_time = self.clock() < ends
        if in_time:
            self.devices.delete_device(user_id, session)
        return in_time

    def _erased(self, batches: Iterator[Erased], ends: float) -> Erased:
        """Erase batches while there is time."""
        whole = Erased(routes=0, in_flight=0, remaining=True)
        while whole.remaining and self.clock() < ends:
            batch = next(batches)
            whole = Erased(
                routes=whole.routes + batch.routes,
                in_flight=whole.in_flight + batch.in_flight,
                remaining=batch.remaining,
            )
        return whole

    def _logged(self, erased: Erased) -> Erased:
        """Log the counts, without the person."""
        self.log.info("person erased", **asdict(erased))
        return erased
