"""A dispatcher in a process of its own: python -m tests.faults.worker [killing address].

Runs the dispatch function once and prints its tally. A killing address ends the process with
SIGKILL in the moment in which an email to it would go out.
"""

import json
import os
import signal
import sys
from typing import Any

from dovecote import wiring
from tests.functions import Context, load


def kill_at(address: str) -> None:
    """Arm the one boto3 session that all clients come from."""

    def kill(request: Any, **_: Any) -> None:
        if address.encode() in request.body:
            os.kill(os.getpid(), signal.SIGKILL)

    wiring._session().events.register("before-send.sesv2.SendEmail", kill)


if __name__ == "__main__":
    for address in sys.argv[1:]:
        kill_at(address)
    print(json.dumps(load("dispatch").handler({}, Context())))
