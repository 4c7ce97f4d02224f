"""`dovecote send`: submit a notification."""

import argparse
import sys
from pathlib import Path

from operate import UsageError, sending
from operate.api import Document
from operate.cli import options
from operate.finding import report
from operate.site import Clock
from operate.terminal import say_json

DESCRIPTION = """\
Submit the notification of a file: the body of POST /notifications, or an event
of it as in events/. Once it is stored, its routes are printed as they are. If
you send the same key and body again, the answer is the first notification.
With --wait the command follows the routes until each has ended, for at most two
minutes."""
EXAMPLES = """\
  dovecote send events/email.json
  dovecote send events/email.json --key order-1 --wait
  jq '.recipients[0].locale = "de"' body.json | dovecote send - --env dev --json
"""
ENDS = {
    "success": "the notification is stored",
    "failure": "it is not stored, or a route ended badly or, with --wait, not in time",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("file", metavar="FILE", help="JSON; '-' is the standard input")
    parser.add_argument("--key", help="the idempotency key, instead of that in the file")
    parser.add_argument("--wait", action="store_true", help="wait until every route has ended")
    options.add_environment(parser)
    options.add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Submit and print the answer; return 1 if a route ended badly, or not in time."""
    body = _body(given)
    api = options.reach(given)
    notification: Document = api.post("notifications", body=body)
    if given.wait:
        notification = sending.follow(api, notification["notification_id"], Clock())
    findings = list(sending.findings(notification, is_final=given.wait))
    if not given.json:
        return report(findings)
    say_json(notification)
    return int(any(finding.is_wrong for finding in findings))


def _body(given: argparse.Namespace) -> Document:
    if given.file == "-":
        body = sending.parse(sys.stdin.buffer.read(), "the standard input")
    else:
        body = sending.read(Path(given.file))
    if given.key is not None:
        body["idempotency_key"] = given.key
    if not body.get("idempotency_key"):
        raise UsageError("the notification has no idempotency key", "give one with --key")
    return body
