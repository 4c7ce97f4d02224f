"""Run one subcommand of `dovecote`: its errors, its exit code, and the end of its output."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import NoReturn

from operate import OperatorError, UsageError
from operate.terminal import fail

COMMANDS = {
    "why": "explain what became of a notification, or why a user got none",
    "send": "submit the notification of a file, and follow it on request",
    "redrive": "give dead letters a fresh set of attempts",
    "refused": "list the submissions in SQL that Dovecote refused",
    "doctor": "check a deployment, and what it needs",
    "console": "serve the operator's page of a deployment to this machine",
    "push-app": "create or update an SNS platform application",
}
WRONG, USAGE, INTERRUPTED, CLOSED_PIPE = 1, 2, 130, 141
EXIT_CODES = """\
exit codes:
  0    {success}
  1    {failure}
  2    the options cannot be used as given
  130  Ctrl-C
  141  the program that read the output has ended
"""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, as all errors of the command."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and where to read on, and exit."""
        sys.exit(fail(self.prog, f"{message}: see {self.prog} --help", USAGE))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        code = _exit_code(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _exit_code(words: Sequence[str]) -> int:
    try:
        name = str(_commands().parse_args(words[:1]).command)
        # boto3 and aiohttp take a second to import: only the commands that use them do.
        command = import_module(f"operate.cli.{name.replace('-', '_')}")
        given = _options(name, command).parse_args(words[1:])
        return _run(f"dovecote {name}", command, given)
    except ModuleNotFoundError as error:
        return fail("dovecote", f"the Python module {error.name} is missing: run make setup")
    except SystemExit as ended:  # --help, and what the parser refuses
        return int(ended.code or 0)


def _run(program: str, command: ModuleType, given: argparse.Namespace) -> int:
    from operate import trouble  # noqa: PLC0415 - it imports botocore, which --help does not need

    try:
        return int(command.run(given))
    except OperatorError as error:
        code = USAGE if isinstance(error, UsageError) else WRONG
        return fail(program, f"{error}: {error.remedy}", code)
    except trouble.ERRORS as error:
        return fail(program, ": ".join(trouble.in_words(error)))


def _commands() -> Parser:
    width = max(map(len, COMMANDS))
    rows = "\n".join(["commands:"] + [f"  {name:{width}}  {COMMANDS[name]}" for name in COMMANDS])
    parser = Parser(
        prog="dovecote",
        usage="dovecote COMMAND [OPTION …]",
        description=f"Operate a deployed environment, or the local stack of make run.\n\n{rows}",
        epilog="'dovecote COMMAND --help' describes a command, its options and its exit codes.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help=argparse.SUPPRESS)
    return parser


def _options(name: str, command: ModuleType) -> Parser:
    parser = Parser(
        prog=f"dovecote {name}",
        description=command.DESCRIPTION,
        epilog=f"examples:\n{command.EXAMPLES}\n{EXIT_CODES.format_map(command.ENDS)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_options(parser)
    return parser
