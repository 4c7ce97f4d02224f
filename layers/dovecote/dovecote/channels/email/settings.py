"""The settings of email: EMAIL_*."""

from typing import Annotated, Literal

import msgspec

from dovecote.core.parsing.settings import BadSettings, InFile, Mailbox, listed

Rate = Annotated[str, msgspec.Meta(pattern=r"^(auto|\d{1,6}(\.\d+)?)\Z")]
"""Emails a second, or auto: the account's quota at SES."""


class EmailSettings(msgspec.Struct, frozen=True, kw_only=True, rename=str.upper):
    """The settings of email, by their lower-case names."""

    email_from: Mailbox = ""
    email_configuration_set: str = ""
    email_allow: str = ""
    email_redirect_to: Mailbox = ""
    email_feedback: Literal["off", "on"] = "off"
    email_max_per_second: Rate = "auto"
    email_bulk_size: InFile[Annotated[int, msgspec.Meta(ge=1, le=50)]] = 50

    @property
    def email_rate(self) -> float | None:
        """Return the emails a second that are set, or None where SES's quota holds."""
        return None if self.email_max_per_second == "auto" else float(self.email_max_per_second)

    @property
    def waits_for_events(self) -> bool:
        """Return whether SES sends events that settle a doubt."""
        return self.email_feedback == "on"

    @property
    def allowed_emails(self) -> tuple[str, ...]:
        """Return the addresses and @domains that may be mailed; empty where all may."""
        return listed(self.email_allow)

    def check(self) -> None:
        """Raise BadSettings where the settings contradict each other."""
        if self.email_rate == 0:
            raise BadSettings("EMAIL_MAX_PER_SECOND: must be more than 0")
        if self.email_feedback == "on" and not self.email_configuration_set:
            raise BadSettings("EMAIL_FEEDBACK: must be off without EMAIL_CONFIGURATION_SET")


SETTINGS = EmailSettings
