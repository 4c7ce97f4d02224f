"""`dovecote why`: explain what became of notifications."""

import argparse
from datetime import UTC, datetime

from operate import UsageError, why
from operate.cli import options
from operate.terminal import say, say_json

DESCRIPTION = """\
Explain what became of a notification, or why a user got none. It prints each
notification, the newest first, with every attempt of each route and a last line
that says how the route stands and why; then whether the addresses are
suppressed, and which devices the users have. It shows addresses, no payload."""
EXAMPLES = """\
  dovecote why --user u-1 --env prod
  dovecote why --email success+ann@simulator.amazonses.com --env prod
  dovecote why --kind order.shipped --key order-1234-shipped
  dovecote why --id 0192f6a0-5d9c-7f43-9a50-3c4f4b4a9d11 --json
"""
ENDS = {
    "success": "there is a notification or a refused submission",
    "failure": "none is known, or the API cannot be asked",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--user", metavar="ID", help="a user's id")
    way.add_argument("--email", metavar="ADDRESS", help="an address")
    way.add_argument("--key", help="an idempotency key, with its --kind")
    way.add_argument("--id", help="a notification's id, or that of a submission in SQL")
    parser.add_argument("--kind", help="the kind of the --key")
    options.add_environment(parser)
    options.add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Print what is known; return 1 if there is no notification."""
    if bool(given.key) != bool(given.kind):
        raise UsageError("a key is found within its kind", "give both --kind and --key")
    question = why.Question(
        user=given.user, email=given.email, kind=given.kind, key=given.key, id=given.id
    )
    facts = why.facts(options.reach(given), question)
    if given.json:
        document = why.document(facts)
        say_json(document)
        return 0 if document["notifications"] or document["refused"] else 1
    known = True
    for fact in facts:
        known = known and fact is not why.NOTHING
        for line in why.lines(fact, datetime.now(UTC)):
            say(line)
    return 0 if known else 1
