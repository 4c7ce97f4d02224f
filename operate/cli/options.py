"""Options that several subcommands have, and what they name."""

import argparse
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from operate import ROOT, api
from operate.api import Api
from operate.site import Site


def add_environment(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    """Add --env and --config-file; without a default the command asks the local stack."""
    local = "; without it the local stack of make run, at PORT [8080]"
    parser.add_argument(
        "--env",
        metavar="NAME",
        default=default,
        help=f"section of samconfig.toml{f' [{default}]' if default else local}",
    )
    parser.add_argument(
        "--config-file", metavar="FILE", type=Path, help="another file than samconfig.toml"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def site(given: argparse.Namespace) -> Site:
    """Return the environment that --env names."""
    return Site(root=ROOT, environment=given.env, config=given.config_file)


def reach(given: argparse.Namespace) -> Api:
    """Return the API of the environment, or of the local stack; raise OperatorError."""
    return api.local() if given.env is None else site(given).api


def integer(least: int, most: int) -> Callable[[str], int]:
    """Return a reader of an integer in a range; it raises ArgumentTypeError."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text[:9]) <= most):
            raise argparse.ArgumentTypeError(f"must be an integer from {least} to {most}")
        return int(text)

    return read


def instant(text: str) -> str:
    """Return a time as it is given; raise ArgumentTypeError unless it has an offset."""
    try:
        has_offset = datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        has_offset = False
    if not has_offset:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time with an offset, such as 2026-11-24T09:00:00Z"
        )
    return text
