"""One Lambda process: a function behind a runtime API of its own.

awslambdaric's native client makes its URLs from AWS_LAMBDA_RUNTIME_API, but its Python half takes
that for a bare host and port. So a process is told apart by its port and not by a path.
"""

import asyncio
import json
import os
import signal
import time
import uuid
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import web

from local import bootstrap, leash
from local.template import Function
from operate.console.guard import local_only

INIT_SECONDS = 10
MAX_ANSWER = 6 * 1024 * 1024
# Output that grandchildren hold open is waited for no longer than this.
DRAIN_SECONDS = 1
LONGEST_LINE = 64 * 1024 * 1024
Sink = Callable[[str, str], None]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an invocation came to: the function's JSON, or Lambda's JSON of an error."""

    payload: bytes
    failed: bool = False

    @classmethod
    def error(cls, kind: str, message: str) -> Self:
        """Make the answer that Lambda gives for a function that could not."""
        document = {"errorType": kind, "errorMessage": message}
        return cls(payload=json.dumps(document).encode(), failed=True)


class FunctionProcess:
    """One process of a function, which takes one event at a time."""

    def __init__(self, function: Function, environment: Mapping[str, str], sink: Sink) -> None:
        loop = asyncio.get_running_loop()
        self._function = function
        self._environment = environment
        self._sink = sink
        self._request_id = ""
        self._broken = False
        self._events: asyncio.Queue[web.Response] = asyncio.Queue(1)
        self._ready: asyncio.Future[None] = loop.create_future()
        self._answer: asyncio.Future[Answer] = loop.create_future()
        self._runner = web.AppRunner(self._api(), handler_cancellation=True, shutdown_timeout=0.1)
        self._process: Process | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        """Tell whether the process can take another event."""
        running = self._process is not None and self._process.returncode is None
        return running and not self._broken

    async def start(self) -> None:
        """Start the process; whether its handler can be imported shows at its first event."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self._process = await asyncio.create_subprocess_exec(
            *leash.command(*bootstrap.command(self._function.handler), signal=signal.SIGKILL),
            cwd=self._function.code,
            env={**self._environment, "AWS_LAMBDA_RUNTIME_API": f"{host}:{port}"},
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            limit=LONGEST_LINE,
            start_new_session=True,
        )
        self._watch = asyncio.create_task(self._attend(self._process))

    async def invoke(self, payload: bytes) -> Answer:
        """Hand an event to the process and return its answer; kills it at the timeout."""
        self._request_id = str(uuid.uuid4())
        either: list[asyncio.Future[Any]] = [self._ready, self._answer]
        await asyncio.wait(either, timeout=INIT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not self._ready.done() and not self._answer.done():
            return await self._give_up(INIT_SECONDS)
        if not self._answer.done():
            self._events.put_nowait(self._event(payload))
            await asyncio.wait([self._answer], timeout=self._function.timeout)
            if not self._answer.done():
                return await self._give_up(self._function.timeout)
        answer, self._answer = self._answer.result(), asyncio.get_running_loop().create_future()
        return answer

    def strike(self) -> None:
        """Send SIGKILL to the process and what it started, and leave the rest to who waits."""
        if self._process is not None and self._process.returncode is None:
            # macOS denies permission where all that is left of the group is a zombie.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def kill(self) -> None:
        """End the process and what it started, at once."""
        self.strike()
        if self._watch is not None:
            await self._watch
        await self._runner.cleanup()

    async def _give_up(self, seconds: int) -> Answer:
        await self.kill()
        message = f"RequestId: {self._request_id} Error: Task timed out after {seconds:.2f} seconds"
        return Answer.error("Sandbox.Timedout", message)

    def _event(self, payload: bytes) -> web.Response:
        now = time.time()
        headers = {
            "Lambda-Runtime-Aws-Request-Id": self._request_id,
            "Lambda-Runtime-Deadline-Ms": str(int((now + self._function.timeout) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self._function.arn,
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(now):08x}-{uuid.uuid4().hex[:24]};Sampled=0",
        }
        return web.Response(body=payload, content_type="application/json", headers=headers)

    async def _attend(self, process: Process) -> None:
        """Forward the process's output, and answer for it when it ends without an answer."""
        output = asyncio.create_task(self._forward(process))
        code = await process.wait()
        await asyncio.wait([output], timeout=DRAIN_SECONDS)
        output.cancel()
        if not self._answer.done():
            self._answer.set_result(self._exited(code))

    def _exited(self, code: int) -> Answer:
        # macOS adds the number: "Killed: 9".
        name = (signal.strsignal(-code) or str(-code)).partition(":")[0] if code < 0 else ""
        how = f"signal: {name.lower()}" if name else f"exit status {code}"
        return Answer.error(
            "Runtime.ExitError",
            f"RequestId: {self._request_id} Error: Runtime exited with error: {how}",
        )

    async def _forward(self, process: Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            self._sink(self._function.id, line.decode(errors="replace").removesuffix("\n"))

    def _api(self) -> web.Application:
        app = web.Application(client_max_size=2 * MAX_ANSWER, middlewares=[local_only])
        runtime = "/2018-06-01/runtime"
        app.router.add_routes(
            [
                web.get(f"{runtime}/invocation/next", self._next),
                web.post(f"{runtime}/invocation/{{id}}/response", self._response),
                web.post(f"{runtime}/invocation/{{id}}/error", self._error),
                web.post(f"{runtime}/init/error", self._init_error),
            ]
        )
        return app

    async def _next(self, _: web.Request) -> web.Response:
        if not self._ready.done():
            self._ready.set_result(None)
        return await self._events.get()

    async def _response(self, request: web.Request) -> web.Response:
        payload = await request.read()
        if len(payload) > MAX_ANSWER:
            message = f"Response payload size exceeded maximum allowed payload size ({MAX_ANSWER})."
            return self._take(Answer.error("Function.ResponseSizeTooLarge", message))
        return self._take(Answer(payload=payload))

    async def _error(self, request: web.Request) -> web.Response:
        return self._take(Answer(payload=await request.read(), failed=True))

    async def _init_error(self, request: web.Request) -> web.Response:
        self._broken = True  # it is about to exit
        return await self._error(request)

    def _take(self, answer: Answer) -> web.Response:
        if not self._answer.done():
            self._answer.set_result(answer)
        return web.json_response({"status": "OK"}, status=202)
