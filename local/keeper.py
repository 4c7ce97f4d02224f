"""Keep a PostgreSQL server up: what dies is started again, and what is to pause pauses."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Self

from local import LocalError, in_background
from local.postgres import Server
from operate.terminal import say

LOOK_SECONDS = 0.2
AGAIN_SECONDS = 2.0


class Keeper:
    """A server that runs on, whatever is done to it.

    All that is done to the server is done in one thread, since the server ends with the thread
    that started it, and starting it takes longer than an event loop may stand still.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="postgres")
        self._wake = asyncio.Event()
        self._pause_until = 0.0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Run the server for as long as the context lasts."""
        with self._thread:
            await self._do(self._server.start)
            try:
                async with in_background(self._keep()):
                    yield self
            finally:
                await self._do(self._server.stop)

    @property
    def up(self) -> bool:
        """Tell whether the server runs."""
        return self._server.pid is not None

    @property
    def paused_for(self) -> float:
        """Return the seconds until the server is started again; 0 where it is not paused."""
        return max(0.0, self._pause_until - asyncio.get_running_loop().time())

    async def pause(self, seconds: float) -> None:
        """Stop the server now, and let it be started again after so many seconds."""
        self._pause_until = asyncio.get_running_loop().time() + seconds
        await self._do(self._server.stop)

    def resume(self) -> None:
        """End a pause."""
        self._pause_until = 0.0
        self._wake.set()

    async def _keep(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LOOK_SECONDS)
            self._wake.clear()
            if not self.up and not self.paused_for:
                await self._start_again()

    async def _start_again(self) -> None:
        # What is left of a server that died is let go of first; where none is, this does nothing.
        await self._do(lambda: self._server.stop("immediate"))
        try:
            await self._do(self._server.start)
        except LocalError as error:
            say(f"{' '.join(str(error).split())}; trying again", sys.stderr)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _do(self, work: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, work)
