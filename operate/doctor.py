"""Look at what a deployment needs, and at what is deployed: python -m operate.doctor --env dev."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from operate import ROOT, channels, trouble
from operate.checks import account, deployed, dispatching, first_send, machine, pauses
from operate.finding import Finding, report, skipped
from operate.site import CREDENTIALS, STACK, Check, Site

EVENT = ROOT / "events" / "email.json"


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


def main(arguments: Sequence[str]) -> int:
    """Print what is found, and return 0 where nothing is wrong."""
    given = _given(arguments)
    event = (given.event or EVENT) if given.send else None
    site = Site(root=ROOT, environment=given.env, config=given.config_file)
    try:
        return report(examine(site, checks(event)))
    except KeyboardInterrupt:
        return 130


def _looked(check: Check, site: Site) -> Iterator[Finding]:
    try:
        yield from check.look(site)
    except trouble.ERRORS as error:
        yield trouble.found(check.name, error)


def _given(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make doctor", description="look at a deployment")
    parser.add_argument("--env", default="default", help="its section of samconfig.toml")
    parser.add_argument("--config-file", type=Path, help="instead of samconfig.toml")
    parser.add_argument("--send", action="store_true", help="send events/email.json and follow it")
    parser.add_argument("--event", type=Path, help="another file, to SES's simulator as well")
    given = parser.parse_args(arguments)
    if given.event and not given.send:
        parser.error("EVENT= is for a first send: add SEND=yes")
    return given


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
