"""The local stack: the unmodified template on one machine, and the AWS that it talks to."""

import asyncio
import fcntl
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress

REGION = "us-east-1"
ACCOUNT = "123456789012"


class LocalError(Exception):
    """The local stack cannot do this; the message is one line that says why or what to do."""


def locked(file: int) -> bool:
    """Take the lock of an open file, unless another process has it; return whether it was taken."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@asynccontextmanager
async def in_background(*work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Work for as long as the context lasts."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
