"""Pauses: which channels, identities, applications and topics are paused, and what waits behind."""

from collections.abc import Iterator

from operate import OperatorError, channels
from operate.api import Document
from operate.finding import Finding, ok, skipped, wrong
from operate.site import Site

DENIED = ("AccessDenied", "AuthorizationError")
"""How the errors begin of what a policy denies."""


def paused(site: Site) -> Iterator[Finding]:
    """Look at what is paused and what waits behind it."""
    if site.output("ApiUrl") is None:
        yield skipped("pauses are not looked at: the stack has no output ApiUrl")
        return
    try:
        overview = site.api.read("overview")
    except OperatorError as error:
        yield wrong(f"pauses cannot be read: {error}", error.remedy)
        return
    pauses = overview["paused"] if overview else []
    for pause in pauses:
        yield wrong(_state(pause), _remedy(site, pause))
    if not pauses:
        yield ok("no channel, identity, application or topic is paused")


def _state(pause: Document) -> str:
    waiting = f"{pause['waiting']} routes wait behind it"
    if pause["waiting"]:
        waiting += f", the oldest for {pause['oldest_waiting_seconds']:.0f} s"
    error = f": {pause['error']}" if pause["error"] else ""
    row = f"{pause['in_a_row']} in a row"
    return f"{pause['resource']} is paused, {row}{error}; {waiting}"


def _remedy(site: Site, pause: Document) -> str:
    if not str(pause["error"]).startswith(DENIED):
        return "correct the cause at the provider; Dovecote then resumes by itself"
    checks = channels.part(pause["channel"], "checks")
    return str(checks.allow(site)) if checks else "allow the send in the stack's DeliveryPolicy"
