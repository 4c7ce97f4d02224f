"""The local stack: database, provider, functions, HTTP API, schedule and queues as one."""

import json
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit, urlunsplit

from aiohttp import web

from local import LocalError, gateway, sqs
from local.keeper import Keeper
from local.postgres import Server
from local.provider import Provider, create_app
from local.runtime import Logs, Runtime, serve_invoke
from local.schedule import firing
from local.sqs import MessageQueue
from local.template import Function, Schedule, read_template
from operate import ROOT

DATABASE = "dovecote"
PROVISION = "ProvisionFunction"
# Requests in work when the stack stops get this long.
SHUTDOWN_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a stack can be told.

    A port of 0 is a free one. `parameters` are the template's, `environment` overrides variables
    of all functions, `tick_seconds` is a minute of the schedules, `page` adds what it serves to the
    application of the HTTP API.
    """

    directory: Path  # data and logs
    root: Path = ROOT  # where template.yaml is
    database_url: str | None = None  # in place of a server of the stack's own
    parameters: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    tick_seconds: float | None = None
    api_port: int = 0
    aws_port: int = 0
    page: Callable[[web.Application, "Stack"], None] | None = None
    lock_seconds: float = 1.0  # how long a PostgreSQL of the run before gets to end
    durable: bool = True  # false: the data is thrown away, so that PostgreSQL need not sync it


class Stack:
    """All of Dovecote on one machine, for as long as the context lasts.

    Nothing of it outlives the thread that entered the context, or outside Linux its process, even
    if that is killed.
    """

    runtime: Runtime  # from the start on

    def __init__(self, options: Options, provider: Provider | None = None) -> None:
        self.options = options
        self.provider = provider or Provider()
        self.template = read_template(options.root / "template.yaml", options.parameters)
        self.logs = Logs(options.directory / "log")
        self.database_url = ""
        self._server: Server | None = None
        self.aws_url = ""
        self.api_url = ""
        self.keeper: Keeper | None = None  # of a server of the stack's own
        self.queues: dict[str, MessageQueue] = {}  # by their names in the template
        self._exits = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with self._exits:
            await self._start()
            self._exits = self._exits.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._exits.aclose()

    async def invoke(self, function: str, event: object) -> Any:
        """Run a function on an event and return its answer; raises LocalError where it failed."""
        answer = await self.runtime.invoke(function, json.dumps(event).encode())
        document = json.loads(answer.payload)
        if answer.failed:
            message = f"{document.get('errorType')}: {document.get('errorMessage')}"
            raise LocalError(f"{function} failed, see {self.logs.path(function)}: {message}")
        return document

    async def _start(self) -> None:
        self.logs.directory.mkdir(parents=True, exist_ok=True)
        aws = self._exits.enter_context(_bind(self.options.aws_port))
        api = self._exits.enter_context(_bind(self.options.api_port))
        self.aws_url, self.api_url = _url(aws), _url(api)
        self.database_url = self.options.database_url or await self._start_database()
        functions = {one.id: self._connected(one) for one in self.template.functions.values()}
        self.runtime = Runtime(
            replace(self.template, functions=functions),
            environment=self._environment(),
            sink=self.logs.write,
        )
        self._exits.push_async_callback(self.runtime.stop)
        await self._serve_aws(aws)
        if PROVISION in functions:
            await self.invoke(PROVISION, {"users": dict(self._users)})
            self._let_in_users()
        await self._take_messages()
        await self._serve_api(api)
        schedules = firing(
            self.template.schedules, self._fire, tick_seconds=self.options.tick_seconds
        )
        await self._exits.enter_async_context(schedules)

    async def _start_database(self) -> str:
        server = Server(
            self.options.directory / "postgres",
            durable=self.options.durable,
            lock_seconds=self.options.lock_seconds,
        )
        self.keeper = await self._exits.enter_async_context(Keeper(server).running())
        server.create_database(DATABASE)
        self._server = server
        return server.url(DATABASE)

    def _let_in_users(self) -> None:
        """Give the users of the functions passwords, which their URLs name the file of."""
        for user in sorted(set(self._users.values())):
            if self._server is not None:
                self._server.let_in(user)

    @property
    def _users(self) -> Mapping[str, str]:
        """Return the users of the functions, on a server of the stack's own.

        On another server none is made, and all functions are its owner.
        """
        return {} if self.options.database_url else self.template.users

    def _connected(self, function: Function) -> Function:
        """Give a function the URL of the database, as the user that the template says."""
        target = urlsplit(self.database_url)
        user = function.environment.get("DB_USER", "")
        if user in self._users.values():
            place = target.netloc.rpartition("@")[2]
            target = target._replace(netloc=f"{quote(user, safe='')}@{place}")
        environment = {**function.environment, "DATABASE_URL": urlunsplit(target)}
        return replace(function, environment=environment)

    def _environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.aws_url,
            "CATALOG_PATH": str(self.options.root / "layers" / "catalog" / "catalog"),
            **self.options.environment,
        }

    async def _serve_api(self, listener: socket.socket) -> None:
        if self.options.page is None:
            app = gateway.create_app(self.template.routes, self.runtime.invoke)
        else:
            app = web.Application(client_max_size=gateway.MAX_BODY)
            self.options.page(app, self)
            gateway.add_routes(app, self.template.routes, self.runtime.invoke)
        await self._serve(app, listener)

    async def _serve_aws(self, listener: socket.socket) -> None:
        app = create_app(self.provider)
        serve_invoke(app, self.runtime)
        sqs.serve(app, self.queues)
        await self._serve(app, listener)

    async def _take_messages(self) -> None:
        """Take the messages of the template's queues to their functions.

        All events of SES go to those that a rule of EventBridge feeds, whatever its pattern.
        """
        for source in self.template.sources:
            queue = MessageQueue(source, self.runtime.invoke, self.logs.write)
            await self._exits.enter_async_context(queue.delivering())
            if source.queue.fed:
                self.provider.listeners.append(queue.send)
                self._exits.callback(self.provider.listeners.remove, queue.send)
            self.queues[source.queue.id] = queue

    async def _serve(self, app: web.Application, listener: socket.socket) -> None:
        runner = web.AppRunner(app, shutdown_timeout=SHUTDOWN_SECONDS)
        await runner.setup()
        self._exits.push_async_callback(runner.cleanup)
        await web.SockSite(runner, listener).start()

    def _fire(self, schedule: Schedule) -> None:
        self.runtime.invoke_later(schedule.function, schedule.input.encode())


def _bind(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        why = os.strerror(error.errno or 0)
        message = f"port {port} on 127.0.0.1 cannot be had ({why}): take another port"
        raise LocalError(message) from None


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()
    return f"http://{host}:{port}"
