"""A user's device as the store keeps it."""

from datetime import datetime

import msgspec


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A user's device, registered as an SNS platform endpoint."""

    user_id: str
    device_session_id: str
    platform: str
    token: str
    endpoint: str
    dead: bool = False

    def __repr__(self) -> str:
        """Name whose it is, and neither token nor endpoint."""
        return f"Device({self.user_id!r}, {self.device_session_id!r}, dead={self.dead})"


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """A user's device as clients see it, without its token and endpoint."""

    user_id: str
    device_session_id: str
    platform: str
    dead_at: datetime | None
    created_at: datetime
    updated_at: datetime
