"""Create or update an SNS platform application.

CloudFormation has no such resource. Secrets come from files, and are never printed.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from operate import OperatorError, trouble
from operate.channels.push import credentials as push_credentials
from operate.channels.push.credentials import USAGE, BadCredentials, Credentials, Given
from operate.finding import Finding, ok, skipped, wrong
from operate.site import Site

PLATFORMS = {"apns": "APNS", "apns_sandbox": "APNS_SANDBOX", "fcm": "GCM"}
"""Dovecote's words, and SNS's."""

# What functions/feedback takes of devices; the two others say nothing that it needs.
EVENTS = ("EventDeliveryFailure", "EventEndpointDeleted")
NAME = re.compile(r"[A-Za-z0-9_.-]{1,256}")


@dataclass(frozen=True, kw_only=True)
class Application:
    """What is asked for."""

    platform: str
    name: str
    credentials: Credentials | None


def put(site: Site, application: Application) -> Iterator[Finding]:
    """Create an application, or give the one of that name new credentials and topics."""
    arn = _arn(site, application)
    events = _events(site)
    given = application.credentials
    attributes = {**(given.attributes if given else {}), **events}
    about = f"{PLATFORMS[application.platform]} application {application.name}"
    if not attributes:
        yield wrong(f"there is nothing to set for {about}", USAGE)
        return
    done = _put(site.client("sns"), arn, application, attributes)
    if done is None:
        yield wrong(f"there is no {about} yet", USAGE)
        return
    yield ok(f"{about} is {done}" + (f" with the {given.kind}" if given else ""))
    yield _told(site, application, events)
    yield _line(site, arn)


def make(site: Site, platform: str, name: str, given: Given) -> Iterator[Finding]:
    """Read the credentials and make the application; what prevents it is a finding."""
    credentials: Credentials | None = None
    try:
        credentials = push_credentials.read(platform, given)
        if not NAME.fullmatch(name):
            raise BadCredentials("--name: must be 1 to 256 letters, digits, '.', '_' or '-'")
        yield from put(site, Application(platform=platform, name=name, credentials=credentials))
    except OperatorError as error:
        yield wrong(str(error), error.remedy)
    except trouble.ERRORS as error:
        yield _refused(error, credentials)


def _put(
    client: Any, arn: str, application: Application, attributes: Mapping[str, str]
) -> str | None:
    """Return whether an application was updated or created; None where it cannot be created."""
    put = client.set_platform_application_attributes
    if trouble.unless_missing(put, PlatformApplicationArn=arn, Attributes=attributes) is not None:
        return "updated"
    if application.credentials is None:
        return None
    client.create_platform_application(
        Name=application.name, Platform=PLATFORMS[application.platform], Attributes=attributes
    )
    return "created"


def _arn(site: Site, application: Application) -> str:
    """Return the ARN that an application of this name has, whether it is there or not."""
    caller = site.client("sts").get_caller_identity()
    partition = caller["Arn"].split(":")[1]
    place = f"arn:{partition}:sns:{site.region}:{caller['Account']}"
    return f"{place}:app/{PLATFORMS[application.platform]}/{application.name}"


def _events(site: Site) -> dict[str, str]:
    topic = site.output("PushFeedbackTopicArn")
    return dict.fromkeys(EVENTS, topic) if topic else {}


def _told(site: Site, application: Application, events: Mapping[str, str]) -> Finding:
    if events:
        return ok(f"it tells {events[EVENTS[0]]} of devices that are gone")
    return skipped(
        "the stack has no topic for its events yet: after the next deployment"
        f" run dovecote push-app --env {site.environment} --platform {application.platform}"
        f" --name {application.name}"
    )


def _line(site: Site, arn: str) -> Finding:
    """Return what samconfig.toml is to say: one application a platform."""
    there = [one for one in site.parameter("PushApplicationArns").split(",") if one]
    if arn in there:
        return ok(f"{arn} is among PushApplicationArns")
    platform = arn.rpartition(":app/")[2].partition("/")[0]
    others = [one for one in there if f":app/{platform}/" not in one]
    return ok(
        f"{arn}: let parameter_overrides of samconfig.toml have this, and {site.deploy}",
        details=(f'"PushApplicationArns={",".join([*others, arn])}"',),
    )


def _refused(error: BaseException, credentials: Credentials | None) -> Finding:
    """Return what AWS said, without what it may repeat."""
    what, remedy = trouble.in_words(error)
    if isinstance(error, ClientError) and trouble.code_of(error).startswith("InvalidParameter"):
        remedy = "SNS tries them on the platform: are key and ids of one account, and not revoked?"
    return wrong(credentials.hidden(what) if credentials else what, remedy)
