"""Serve the console of a deployed stack to this machine."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from operate import OperatorError
from operate.console.guard import guard
from operate.console.pages import Pages
from operate.console.proxy import Admission, Proxy
from operate.site import Site
from operate.terminal import say_all

MAX_BODY = 64 * 1024


async def serve(site: Site, port: int) -> None:
    """Serve the console and print its address; raise OperatorError and the errors of botocore."""
    async with serving(site, port) as address:
        caller = site.client("sts").get_caller_identity()["Arn"].rpartition(":")[2]
        say_all(_where(site, caller, address))
        await asyncio.Event().wait()


@asynccontextmanager
async def serving(site: Site, port: int) -> AsyncIterator[str]:
    """Serve the console of a site's stack and yield the address that admits a browser.

    Raises OperatorError and the errors of botocore.
    """
    api_url = site.api.url
    listener = _bind(port)
    port = listener.getsockname()[1]
    admission = Admission()
    runner = web.AppRunner(_app(site, api_url, admission), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        yield f"http://127.0.0.1:{port}{admission.path}"
    finally:
        await runner.cleanup()


def _app(site: Site, api_url: str, admission: Admission) -> web.Application:
    app = web.Application(client_max_size=MAX_BODY, middlewares=[guard, admission.admit])
    about = {
        "environment": site.environment,
        "stack": site.section.stack_name,
        "region": site.region,
    }
    Pages(site.root, about).add_routes(app.router)
    Proxy(api_url, site.aws).add_routes(app.router)
    return app


def _bind(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise OperatorError(
            f"port {port} cannot be had ({why})", "give another with --port"
        ) from None


def _where(site: Site, caller: str, address: str) -> str:
    return f"""
The console of {site.section.stack_name} in {site.region}:

  {address}

Keep this address to yourself: it acts as {caller} until Ctrl-C.
"""
