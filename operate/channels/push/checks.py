"""SNS: the platform applications that devices are registered with."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from operate import trouble
from operate.finding import Finding, ok, skipped, wrong
from operate.site import CREDENTIALS, Check, Site

SOON = timedelta(days=30)
PLATFORMS = {"APNS": "apns", "APNS_SANDBOX": "apns_sandbox", "GCM": "fcm"}
"""SNS's words, and those of `dovecote push-app`."""

# The reference says the one, SNS answers with the other.
EXPIRIES = ("AppleCertificateExpirationDate", "AppleCertificateExpiryDate")


def applications(site: Site) -> Iterator[Finding]:
    """Look at each platform application."""
    arns = [arn for arn in site.parameter("PushApplicationArns").split(",") if arn]
    if not arns:
        yield skipped("push to devices is off: PushApplicationArns is empty")
    for arn in arns:
        yield _application(site, arn)


def allow(_site: Site) -> str:
    """Return what to do where a policy denies a send."""
    return "allow sns:Publish on it: see PushApplicationArns, PushTopicArn and the topic's policy"


CHECKS = (Check(name="push applications", look=applications, after=CREDENTIALS),)


def _application(site: Site, arn: str) -> Finding:
    ask = site.client("sns").get_platform_application_attributes
    said = trouble.unless_missing(ask, PlatformApplicationArn=arn)
    if said is None:
        return wrong(f"push: SNS has no application {arn}", _make(site, arn))
    return _told(site, arn, said["Attributes"])


def _told(site: Site, arn: str, attributes: Mapping[str, str]) -> Finding:
    about = f"push: {arn.rpartition(':app/')[2]}"
    if attributes.get("Enabled", "true") != "true":
        # SNS switches off an application whose credentials the platform refuses.
        return wrong(f"{about} is disabled", f"give it its credentials anew: {_make(site, arn)}")
    expires = next((attributes[key] for key in EXPIRIES if attributes.get(key)), None)
    if expires and (late := _late(expires, site.clock.now())):
        renewal = _make(site, arn, " --cert … --key …")
        return wrong(f"{about}: its certificate {late}", f"renew it: {renewal}")
    topic = site.output("PushFeedbackTopicArn")
    if topic and attributes.get("EventDeliveryFailure") != topic:
        return wrong(
            f"{about} does not tell the stack of devices that are gone",
            f"{_make(site, arn, '')} sets its event topics",
        )
    return ok(f"{about} is enabled" + (f", its certificate to {expires[:10]}" if expires else ""))


def _late(expires: str, now: datetime) -> str | None:
    """Return what to say of a certificate that ends soon."""
    try:
        end = datetime.fromisoformat(expires)
    except ValueError:
        return f"ends at {expires!r}, which is no time"
    left = end.replace(tzinfo=end.tzinfo or UTC) - now
    if left > SOON:
        return None
    return f"{'expired' if left <= timedelta(0) else 'expires'} on {end:%Y-%m-%d}"


def _make(site: Site, arn: str, credentials: str = " --key …") -> str:
    """Return the command that gives an application its credentials, or only its topics."""
    platform, _, name = arn.rpartition(":app/")[2].partition("/")
    word = PLATFORMS.get(platform, platform.lower())
    given = credentials if platform != "GCM" else credentials.replace("--key", "--service-account")
    return f"dovecote push-app --env {site.environment} --platform {word} --name {name}{given}"
