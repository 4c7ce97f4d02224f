"""The result of storing a notification."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from dovecote.core.claim import Claim
from dovecote.core.device import Device
from dovecote.core.route import Route


class DevicesFound(Exception):
    """Users have devices, which the routes of a notification do not go to yet."""

    def __init__(self, devices: Sequence[Device]) -> None:
        super().__init__()
        self.devices = devices


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A notification that has just been stored; `claims` are for the caller to deliver."""

    notification_id: UUID
    kind: str
    created_at: datetime
    routes: Sequence[Route]
    claims: Sequence[Claim]
