"""`dovecote refused`: list refused submissions in SQL."""

import argparse
from itertools import islice

from operate import story
from operate.cli import options
from operate.terminal import say, say_json

DESCRIPTION = """\
List the submissions in SQL (dovecote.submit) that Dovecote refused after their
commit, the newest first, each with its faults. The content of a refused
submission is not kept. The producer corrects it and submits it again."""
MOST = 100_000
EXAMPLES = """\
  dovecote refused --env prod
  dovecote refused --env prod --limit 500 --json
"""
ENDS = {
    "success": "the list is printed",
    "failure": "the API cannot be asked",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--limit",
        metavar="N",
        type=options.integer(1, MOST),
        default=50,
        help="print at most so many [50]",
    )
    options.add_environment(parser)
    options.add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Print the refused submissions."""
    found = list(islice(options.reach(given).pages("refused"), given.limit))
    if given.json:
        say_json({"refused": found})
        return 0
    for submission in found:
        for line in story.refused(submission):
            say(line)
    if not found:
        say("No submission is refused.")
    return 0
