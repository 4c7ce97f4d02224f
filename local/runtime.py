"""The functions of a template, each in processes of its own, as Lambda runs and invokes them."""

import asyncio
import json
import re
import uuid
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from local import ACCOUNT, REGION, LocalError
from local.process import Answer, FunctionProcess, Sink
from local.provider.protocol import AwsError
from local.template import Function, Template

# How many events of one function are in work at once.
CONCURRENCY = 10
# What a process of ours has that one on Lambda has too; never the caller's own AWS account.
SANDBOX = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_ACCOUNT_ID": ACCOUNT,
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "LANG": "C.UTF-8",
    "NO_PROXY": "*",  # macOS has proxies in its settings too, which botocore would use
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "TZ": "UTC",
}


QUALIFIER = re.compile(r":(\$LATEST|live)$")
"""There is one version here, whichever is asked for."""


class Runtime:
    """Runs functions on demand: a process takes one event at a time, more events more processes."""

    def __init__(
        self,
        template: Template,
        *,
        environment: Mapping[str, str],
        sink: Sink,
        concurrency: int = CONCURRENCY,
    ) -> None:
        self._pools = {
            function.id: _Pool(function, _environment(function, environment), sink, concurrency)
            for function in template.functions.values()
        }
        self._ids = {
            alias: function.id
            for function in template.functions.values()
            for alias in (function.id, function.name, function.arn)
        }
        self._sink = sink
        self._later: set[asyncio.Task[None]] = set()

    def find(self, name: str) -> str:
        """Return the id of a function by id, name or ARN; raises LocalError."""
        if name not in self._ids:
            raise LocalError(f"no function is called {name}")
        return self._ids[name]

    async def invoke(self, name: str, payload: bytes) -> Answer:
        """Run a function on an event and return its answer."""
        return await self._pools[self.find(name)].invoke(payload)

    def invoke_later(self, name: str, payload: bytes) -> None:
        """Run a function on an event in the background, once."""
        task = asyncio.create_task(self._invoke_and_log(self.find(name), payload))
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    def busy(self, name: str) -> int:
        """Return how many processes of a function are at work."""
        return len(self._pools[self.find(name)].busy)

    def strike(self, name: str) -> None:
        """Kill the processes of a function that are at work."""
        for process in self._pools[self.find(name)].busy:
            process.strike()

    async def stop(self) -> None:
        """Kill all processes, whatever they are at."""
        for task in list(self._later):
            task.cancel()
        await asyncio.gather(*self._later, return_exceptions=True)
        await asyncio.gather(*(pool.stop() for pool in self._pools.values()))

    async def _invoke_and_log(self, function: str, payload: bytes) -> None:
        answer = await self._pools[function].invoke(payload)
        if answer.failed:
            self._sink(function, f"invocation failed: {answer.payload.decode(errors='replace')}")


class Logs:
    """The output of functions: a file for each in a directory, written line by line."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, function: str) -> Path:
        """Return the file of a function."""
        return self.directory / f"{function}.log"

    def write(self, function: str, line: str) -> None:
        """Append a line to a function's file."""
        with self.path(function).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


class _Pool:
    """The processes of one function."""

    def __init__(
        self, function: Function, environment: Mapping[str, str], sink: Sink, concurrency: int
    ) -> None:
        self._function = function
        self._environment = environment
        self._sink = sink
        self._places = asyncio.Semaphore(concurrency)
        self._idle: list[FunctionProcess] = []
        self._all: set[FunctionProcess] = set()

    async def invoke(self, payload: bytes) -> Answer:
        async with self._places:
            process = await self._take()
            try:
                answer = await process.invoke(payload)
            except asyncio.CancelledError:
                await self._discard(process)
                raise
            if process.alive:
                self._idle.append(process)
            else:
                await self._discard(process)
            return answer

    @property
    def busy(self) -> set[FunctionProcess]:
        return self._all.difference(self._idle)

    async def stop(self) -> None:
        await asyncio.gather(*(self._discard(process) for process in list(self._all)))

    async def _take(self) -> FunctionProcess:
        while self._idle:
            process = self._idle.pop()
            if process.alive:
                return process
            await self._discard(process)
        process = FunctionProcess(self._function, self._environment, self._sink)
        self._all.add(process)
        await process.start()
        return process

    async def _discard(self, process: FunctionProcess) -> None:
        self._all.discard(process)
        await process.kill()


def serve_invoke(app: web.Application, runtime: Runtime) -> None:
    """Serve Invoke under /2015-03-31/functions."""
    path = "/2015-03-31/functions/{name}/invocations"
    app.router.add_post(path, _Service(runtime).invoke)


class _Service:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def invoke(self, request: web.Request) -> web.Response:
        """Invoke a function and wait for it, or not (Event), or only look (DryRun)."""
        name = self._found(QUALIFIER.sub("", request.match_info["name"]))
        payload = _checked(await request.read())
        headers = {"x-amzn-RequestId": str(uuid.uuid4())}
        match request.headers.get("X-Amz-Invocation-Type", "RequestResponse"):
            case "DryRun":
                return web.Response(status=204, headers=headers)
            case "Event":
                self._runtime.invoke_later(name, payload)
                return web.Response(status=202, headers=headers)
        answer = await self._runtime.invoke(name, payload)
        headers["X-Amz-Executed-Version"] = "$LATEST"
        if answer.failed:
            headers["X-Amz-Function-Error"] = "Unhandled"
        return web.Response(body=answer.payload, content_type="application/json", headers=headers)

    def _found(self, name: str) -> str:
        try:
            return self._runtime.find(name)
        except LocalError:
            message = f"Function not found: {name}"
            raise AwsError(404, "ResourceNotFoundException", message) from None


def _checked(payload: bytes) -> bytes:
    try:
        json.loads(payload or b"{}")
    except ValueError as error:
        message = f"Could not parse request body into json: {error}"
        raise AwsError(400, "InvalidRequestContentException", message) from None
    return payload or b"{}"


def _environment(function: Function, overrides: Mapping[str, str]) -> dict[str, str]:
    return {
        **SANDBOX,
        "_HANDLER": function.handler,
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        "LAMBDA_TASK_ROOT": str(function.code),
        "PYTHONPATH": ":".join(map(str, function.layers)),
        **function.environment,
        **overrides,
    }
