"""A user's device as the store keeps it."""

from datetime import datetime

import msgspec


class UserDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A user's device as submit sees it, without its token."""

    user_id: str
    device_session_id: str
    endpoint: str
    dead: bool = False

    def __repr__(self) -> str:
        """Name whose it is, and neither token nor endpoint."""
        return (
            f"{type(self).__name__}({self.user_id!r}, {self.device_session_id!r}, dead={self.dead})"
        )


class Device(UserDevice, frozen=True, kw_only=True):
    """A user's device, registered as an SNS platform endpoint."""

    platform: str
    token: str


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """A user's device as clients see it, without its token and endpoint."""

    user_id: str
    device_session_id: str
    platform: str
    dead_at: datetime | None
    created_at: datetime
    updated_at: datetime
