"""What an operator runs: the command `dovecote`, and what its subcommands do."""

from pathlib import Path


class OperatorError(Exception):
    """Something stands in the way; the message says what, and `remedy` what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


class UsageError(OperatorError):
    """The command line asks for something that the command cannot do."""


ROOT = Path(__file__).parents[1]
