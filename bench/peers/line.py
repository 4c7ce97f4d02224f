"""What a contender's program says to the bench: ready, then how many jobs it has handled.

The standard library alone: this runs in the venv of the peers too.
"""

import os
import sys
import threading
import time
from dataclasses import dataclass

TOLD_EVERY_SECONDS = 0.005


def say(word: object) -> None:
    """Write one line to the bench."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def await_start() -> None:
    """Say that all is imported and connected, and wait for the start."""
    say("ready")
    sys.stdin.readline()


def await_end() -> None:
    """Wait until the bench closes the line, and end at once."""
    sys.stdin.read()
    os._exit(0)


@dataclass
class Handled:
    """How many jobs were handled; told from a thread, so that a job costs an addition."""

    count: int = 0

    def tell(self) -> None:
        """Begin to tell the count whenever it has changed."""
        threading.Thread(target=self._tell, daemon=True).start()
        threading.Thread(target=await_end, daemon=True).start()

    def _tell(self) -> None:
        told = 0
        while True:
            if (count := self.count) != told:
                say(count)
                told = count
            time.sleep(TOLD_EVERY_SECONDS)
