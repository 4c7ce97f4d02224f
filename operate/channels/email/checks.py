"""SES: what the account may send, from whom, and where its events go."""

from collections.abc import Iterator, Mapping
from email.utils import parseaddr
from typing import Any

from operate import trouble
from operate.finding import Finding, ok, skipped, wrong
from operate.site import CREDENTIALS, STACK, Check, Site

# What functions/feedback learns from; see dovecote.channels.email.events.KNOWN.
EVENT_TYPES = (
    "SEND", "REJECT", "BOUNCE", "COMPLAINT", "DELIVERY", "RENDERING_FAILURE", "DELIVERY_DELAY",
)  # fmt: skip
# Of the quota of 24 hours: above it, there is little room for a busy day.
BUSY = 0.9
OFF = "email is off: EmailIdentity is empty"


def account(site: Site) -> Iterator[Finding]:
    """Look at what SES lets the account do."""
    if not site.parameter("EmailIdentity"):
        yield skipped(OFF)
        return
    said = site.client("sesv2").get_account()
    yield _production(site, said)
    yield _standing(site, said)
    yield _quota(site, said["SendQuota"])


def identity(site: Site) -> Iterator[Finding]:
    """Look at the identity that all senders belong to."""
    name = site.parameter("EmailIdentity")
    if not name:
        yield skipped(OFF)
        return
    if stray := _stray(name, site.parameter("EmailFrom")):
        yield stray
    said = trouble.unless_missing(site.client("sesv2").get_email_identity, EmailIdentity=name)
    if said is None:
        yield _no_identity(site, name)
        return
    if site.stack is None and site.parameter("CreateEmailIdentity") == "yes":
        yield wrong(
            f"SES has the identity {name} already, and the stack would make it",
            "set CreateEmailIdentity=no in parameter_overrides",
        )
    yield from _verified(site, name, said)


def configuration_set(site: Site) -> Iterator[Finding]:
    """Look at where SES's events go."""
    name = site.output("EmailConfigurationSetName") or site.parameter("EmailConfigurationSet")
    if not name or site.parameter("EmailFeedback") != "on":
        yield skipped("SES's events are not asked for: EmailFeedback or email is off")
        return
    ask = site.client("sesv2").get_configuration_set_event_destinations
    said = trouble.unless_missing(ask, ConfigurationSetName=name)
    if said is None:
        yield wrong(f"SES has no configuration set {name}", f"create it, or {site.deploy}")
        return
    yield _destination(site, name, said.get("EventDestinations", []))


def allow(site: Site) -> str:
    """Return what to do where a policy denies a send."""
    return (
        "allow ses:SendEmail and ses:SendBulkEmail on the identity: in the SES sandbox IAM"
        " checks the recipient's identity too, so that the policy needs identity/*"
        f" ({site.deploy}); also look at the identity's own policy in SES"
    )


CHECKS = (
    Check(name="SES's account", look=account, after=CREDENTIALS),
    Check(name="SES's identity", look=identity, after=CREDENTIALS),
    Check(name="SES's events", look=configuration_set, after=STACK),
)


def _production(site: Site, said: Mapping[str, Any]) -> Finding:
    if said.get("ProductionAccessEnabled"):
        return ok("SES: production access, anybody may be mailed")
    sandbox = (
        "SES: the sandbox, only verified recipients and the mailbox simulator get email, and IAM"
        " checks the recipient's identity too (AccessDenied where the policy lacks it)"
    )
    if site.parameter("EmailAllow") or site.parameter("EmailRedirectTo"):
        return ok(f"{sandbox}; which may do where EmailAllow or EmailRedirectTo bounds them")
    if said.get("Details", {}).get("ReviewDetails", {}).get("Status") == "PENDING":
        return wrong(sandbox, "production access is asked for; wait for AWS Support's answer")
    return wrong(
        sandbox,
        site.command(
            *("sesv2", "put-account-details", "--production-access-enabled"),
            *("--mail-type", "TRANSACTIONAL", "--website-url", "https://<your site>"),
        )
        + ", or in the console SES, Account dashboard, Request production access",
    )


def _standing(site: Site, said: Mapping[str, Any]) -> Finding:
    status = said.get("EnforcementStatus", "HEALTHY")
    if status != "HEALTHY":
        return wrong(
            f"SES: the account's reputation is {status}",
            "answer the case that AWS opened: console SES, Reputation metrics, and Support Center",
        )
    if not said.get("SendingEnabled"):
        return wrong(
            "SES: sending is paused for the account",
            site.command("sesv2", "put-account-sending-attributes", "--sending-enabled"),
        )
    return ok("SES: sending is on, the account's reputation is HEALTHY")


def _quota(site: Site, quota: Mapping[str, float]) -> Finding:
    most, sent, rate = quota["Max24HourSend"], quota["SentLast24Hours"], quota["MaxSendRate"]
    if most < 0:
        return ok(f"SES: {sent:.0f} emails in 24 h, without a quota; {rate:g} a second")
    text = f"SES: {sent:.0f} of {most:.0f} emails in 24 h, {rate:g} a second"
    if sent < BUSY * most:
        return ok(text)
    return wrong(text, f"ask for more: console Service Quotas, Amazon SES, in {site.region}")


def _stray(name: str, sender: str) -> Finding | None:
    """Return what is wrong with a sender of another identity, which SES would refuse."""
    address = parseaddr(sender)[1].lower()
    domain = address.rpartition("@")[2]
    if not sender or address == name.lower() or f".{domain}".endswith(f".{name.lower()}"):
        return None
    return wrong(
        f"EmailFrom {address or sender} is not of EmailIdentity {name}",
        "name a sender of that domain in parameter_overrides, or another identity",
    )


def _no_identity(site: Site, name: str) -> Finding:
    if site.stack is None and site.parameter("CreateEmailIdentity") == "yes":
        return skipped(f"SES has no identity {name} yet: the stack makes it")
    return wrong(
        f"SES has no identity {name} in {site.region}",
        site.command("sesv2", "create-email-identity", "--email-identity", name),
    )


def _verified(site: Site, name: str, said: Mapping[str, Any]) -> Iterator[Finding]:
    dkim = said.get("DkimAttributes", {})
    status = dkim.get("Status", "NOT_STARTED")
    verified = bool(said.get("VerifiedForSendingStatus"))
    if verified and (status == "SUCCESS" or said.get("IdentityType") == "EMAIL_ADDRESS"):
        yield ok(f"SES: {name} may send, DKIM {status}")
    elif said.get("IdentityType") == "EMAIL_ADDRESS":
        yield wrong(
            f"SES: {name} is not verified", "click the link in the mail that AWS sent to it"
        )
    else:
        begun = f"SES: {name} {'may send' if verified else 'may not send yet'}, DKIM {status}"
        yield wrong(begun, _dkim_remedy(site, name, dkim), details=_records(name, dkim))


def _dkim_remedy(site: Site, name: str, dkim: Mapping[str, Any]) -> str:
    if not dkim.get("Tokens"):
        return site.command(
            *("sesv2", "put-email-identity-dkim-attributes", "--email-identity", name),
            "--signing-enabled",
        )
    return "these records must be in the domain's DNS; SES looks for up to 72 hours"


def _records(name: str, dkim: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the CNAME records of Easy DKIM; with a key of one's own there is only a TXT."""
    if dkim.get("SigningAttributesOrigin") == "EXTERNAL":
        return tuple(f"{token}._domainkey.{name}  TXT  p=…" for token in dkim.get("Tokens", ()))
    zone = dkim.get("SigningHostedZone") or "dkim.amazonses.com"
    return tuple(
        f"{token}._domainkey.{name}  CNAME  {token}.{zone}" for token in dkim.get("Tokens", ())
    )


def _destination(site: Site, name: str, destinations: list[Mapping[str, Any]]) -> Finding:
    to_events = [one for one in destinations if "EventBridgeDestination" in one]
    enabled = [one for one in to_events if one.get("Enabled")]
    types = {kind for one in enabled for kind in one["MatchingEventTypes"]}
    missing = [kind for kind in EVENT_TYPES if kind not in types]
    if not missing:
        return ok(f"SES: configuration set {name} sends its events to EventBridge")
    if not to_events:
        what = "has no event destination at EventBridge"
    elif not enabled:
        what = f"has its event destination {to_events[0]['Name']} switched off"
    else:
        what = f"sends no {', '.join(missing)} to EventBridge"
    return wrong(f"SES: configuration set {name} {what}", f"{site.deploy}, which sets it anew")
