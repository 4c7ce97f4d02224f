"""What a team runs beside a stack: doctor, console, why somebody got nothing, push applications."""

from pathlib import Path


class OperatorError(Exception):
    """Something stands in the way; the message says what, and `remedy` what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


ROOT = Path(__file__).parents[1]
