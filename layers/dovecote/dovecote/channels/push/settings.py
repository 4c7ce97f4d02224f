"""The settings of push: the variables PUSH_*."""

import re
from collections.abc import Mapping

import msgspec

from dovecote.core.parsing.settings import BadSettings, listed

_APPLICATION = re.compile(r"arn:[^:]+:sns:[^:]+:\d{12}:app/(APNS|APNS_SANDBOX|GCM)/[^/:]+\Z")


class PushSettings(msgspec.Struct, frozen=True, kw_only=True, rename=str.upper):
    """The variables of push, by their lower-case names."""

    push_topic_arn: str = ""
    push_application_arns: str = ""

    @property
    def waits_for_events(self) -> bool:
        """Return False: SNS sends no event that would settle a doubt."""
        return False

    @property
    def push_applications(self) -> Mapping[str, str]:
        """Return the ARN of the platform application of each platform, by SNS's names."""
        arns = listed(self.push_application_arns)
        return {arn.split(":")[5].split("/")[1]: arn for arn in arns}

    def check(self) -> None:
        """Raise BadSettings where an ARN is not one, or two applications are of one platform."""
        arns = listed(self.push_application_arns)
        if not all(map(_APPLICATION.match, arns)):
            raise BadSettings("PUSH_APPLICATION_ARNS: must be a list of platform application ARNs")
        if len(self.push_applications) < len(arns):
            raise BadSettings("PUSH_APPLICATION_ARNS: must have one application per platform")
        if self.push_topic_arn and len(self.push_topic_arn.split(":")) != 6:
            raise BadSettings("PUSH_TOPIC_ARN: must be the ARN of a topic")


SETTINGS = PushSettings
