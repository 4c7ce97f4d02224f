"""`dovecote doctor`: check a deployment."""

import argparse
from pathlib import Path

from operate import ROOT, UsageError, doctor
from operate.cli import options
from operate.finding import report

DESCRIPTION = """\
Check what a deployment needs (Python, credentials, quotas, SES) and what is
deployed (schema, schedule, pauses, queues, alarms). A line with 'ok' needs
nothing, one with '--' was not checked, and one with '!!' says what is wrong and
what to do. With --send the command also sends one email to SES's mailbox
simulator and waits for its event."""
EXAMPLES = """\
  dovecote doctor --env dev
  dovecote doctor --env dev --send
  dovecote doctor --env prod --json
"""
ENDS = {
    "success": "nothing is wrong",
    "failure": "something is wrong",
}
EVENT = ROOT / "events" / "email.json"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--send", action="store_true", help="send events/email.json, and follow it to its event"
    )
    parser.add_argument(
        "--event",
        metavar="FILE",
        type=Path,
        help="with --send: another file, whose recipients are the simulator",
    )
    options.add_environment(parser, "default")
    options.add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Print what is found; return 1 if something is wrong."""
    if given.event and not given.send:
        raise UsageError("--event names what to send", "add --send")
    event = (given.event or EVENT) if given.send else None
    findings = doctor.examine(options.site(given), doctor.checks(event))
    return report(findings, as_json=given.json)
