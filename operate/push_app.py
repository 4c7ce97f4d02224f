"""Create or update an SNS platform application: python -m operate.push_app --platform fcm ….

CloudFormation has no such resource. Secrets come from files, and are never printed.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from operate import ROOT, OperatorError, push_credentials, trouble
from operate.finding import Finding, ok, report, skipped, wrong
from operate.push_credentials import USAGE, BadCredentials, Credentials, Given
from operate.site import Site

PLATFORMS = {"apns": "APNS", "apns_sandbox": "APNS_SANDBOX", "fcm": "GCM"}
"""Dovecote's words, and SNS's."""

# What functions/feedback takes of devices; the two others say nothing that it needs.
EVENTS = ("EventDeliveryFailure", "EventEndpointDeleted")
CREDENTIALS = {
    "key": "file: Apple's .p8, or the key of --cert in PEM",
    "key_id": "of the .p8: 10 characters",
    "team_id": "of the Apple developer account: 10 characters",
    "bundle_id": "of the app: org.example.app",
    "cert": "file: APNs certificate in PEM, instead of a .p8",
    "service_account": "file: JSON of a Firebase service account",
}
"""The options that are of push_credentials.Given."""

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


def main(arguments: Sequence[str]) -> int:
    """Print what was done, and return 0 where nothing is wrong."""
    given = _given(arguments)
    site = Site(root=ROOT, environment=given.env, config=given.config_file)
    return report(_made(site, given))


def _made(site: Site, given: argparse.Namespace) -> Iterator[Finding]:
    """Make what the command line asks for; whatever stands in the way is a finding."""
    credentials: Credentials | None = None
    try:
        credentials = push_credentials.read(
            given.platform, Given(**{name: getattr(given, name) for name in CREDENTIALS})
        )
        if not NAME.fullmatch(given.name):
            raise BadCredentials("NAME= is 1 to 256 letters, digits, dots, hyphens and underscores")
        yield from put(
            site,
            Application(platform=given.platform, name=given.name, credentials=credentials),
        )
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
        f" make push-app ENV={site.environment} PLATFORM={application.platform}"
        f" NAME={application.name}"
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


def _given(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make push-app", description="create or update an SNS platform application"
    )
    parser.add_argument("--env", default="default", help="its section of samconfig.toml")
    parser.add_argument("--config-file", type=Path, help="instead of samconfig.toml")
    parser.add_argument("--platform", required=True, choices=PLATFORMS)
    parser.add_argument("--name", required=True, help="of the application, in this region")
    for name, words in CREDENTIALS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", help=words)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
