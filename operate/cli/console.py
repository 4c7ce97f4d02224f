"""`dovecote console`: serve the operator's page."""

import argparse
import asyncio
from contextlib import suppress

from operate.cli import options
from operate.console.serve import serve

DESCRIPTION = """\
Serve the operator's page of a deployment to this machine's browser, and print
its address: what is due, stuck and paused, the last hour, dead letters with a
filter and a redrive, the history of any notification, and the templates. It
signs with the credentials of the environment's profile, and runs until Ctrl-C."""
EXAMPLES = """\
  dovecote console --env prod
  dovecote console --env prod --port 8485
"""
ENDS = {
    "success": "it was served until Ctrl-C",
    "failure": "it cannot be served",
}
PORT = 8484


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--port",
        metavar="N",
        type=options.integer(0, 65535),
        default=PORT,
        help=f"port on 127.0.0.1 [{PORT}]; 0 for any that is free",
    )
    options.add_environment(parser, "default")


def run(given: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(options.site(given), given.port))
    return 0
