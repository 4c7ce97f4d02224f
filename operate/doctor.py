"""Check what a deployment needs, and what is deployed."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from operate import channels, trouble
from operate.checks import account, deployed, dispatching, first_send, machine, pauses
from operate.finding import Finding, skipped
from operate.site import CREDENTIALS, STACK, Check, Site


def checks(event: Path | None = None) -> Sequence[Check]:
    """Return all checks in their order; with an event the last of them sends it."""
    send = partial(first_send.first_send, event=event)
    return (
        Check(name="Python", look=machine.python),
        Check(name="sam", look=machine.sam),
        Check(name="samconfig.toml", look=machine.samconfig),
        Check(name=CREDENTIALS, look=account.credentials, after="samconfig.toml"),
        Check(name="RDS's authorities", look=machine.authorities, after=CREDENTIALS),
        Check(name="Lambda's concurrency", look=account.concurrency, after=CREDENTIALS),
        *_of_channels(CREDENTIALS),
        Check(name=STACK, look=deployed.stack, after=CREDENTIALS),
        *_of_channels(STACK),
        Check(name="the schema", look=deployed.schema, after=STACK),
        Check(name="the schedule", look=dispatching.schedule, after=STACK),
        Check(name="the last dispatch", look=dispatching.last_run, after=STACK),
        Check(name="pauses", look=pauses.paused, after=STACK),
        Check(name="dead-letter queues", look=deployed.queues, after=STACK),
        Check(name="alarms", look=deployed.alarms, after=STACK),
        Check(name="a first send", look=send, after=STACK),
    )


def _of_channels(after: str) -> Iterator[Check]:
    """Yield the checks of each channel that come after this one."""
    for module in channels.parts("checks"):
        yield from (check for check in module.CHECKS if check.after == after)


def examine(site: Site, table: Sequence[Check]) -> Iterator[Finding]:
    """Make the checks in order; those whose prerequisite stopped are only named."""
    stopped: set[str | None] = set()
    unseen: list[str] = []
    for check in table:
        if check.after in stopped:
            stopped.add(check.name)
            unseen.append(check.name)
            continue
        for finding in _looked(check, site):
            if finding.stops:
                stopped.add(check.name)
            yield finding
    if unseen:
        yield skipped(f"not looked at: {', '.join(unseen)}")


def _looked(check: Check, site: Site) -> Iterator[Finding]:
    try:
        yield from check.look(site)
    except trouble.ERRORS as error:
        yield trouble.found(check.name, error)
