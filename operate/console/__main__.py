"""Serve the console of a deployed stack to this machine: python -m operate.console --env prod."""

import argparse
import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from operate import ROOT, OperatorError, trouble
from operate.console.guard import guard
from operate.console.pages import Pages
from operate.console.proxy import Admission, Proxy
from operate.site import Site
from operate.terminal import fail, say_all

PORT = 8484
MAX_BODY = 64 * 1024


def main(arguments: Sequence[str]) -> int:
    """Serve until Ctrl-C and return the exit code."""
    given = _given(arguments)
    site = Site(root=ROOT, environment=given.env, config=given.config_file)
    try:
        asyncio.run(_serve(site, given.port))
    except KeyboardInterrupt:
        return 0
    except OperatorError as error:
        return fail("console", f"{error}: {error.remedy}")
    except trouble.ERRORS as error:
        return fail("console", ": ".join(trouble.in_words(error)))
    return 0


async def _serve(site: Site, port: int) -> None:
    async with serving(site, port) as address:
        caller = site.client("sts").get_caller_identity()["Arn"].rpartition(":")[2]
        say_all(_where(site, caller, address))
        await asyncio.Event().wait()


@asynccontextmanager
async def serving(site: Site, port: int) -> AsyncIterator[str]:
    """Serve the console of a site's stack and yield the address that admits a browser.

    Raises OperatorError and the errors of botocore.
    """
    api_url = site.output("ApiUrl")
    if api_url is None:
        raise OperatorError(f"{site.section.stack_name} is not deployed", site.deploy)
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
            f"port {port} cannot be had ({why})", "give another with PORT="
        ) from None


def _where(site: Site, caller: str, address: str) -> str:
    return f"""
The console of {site.section.stack_name} in {site.region}:

  {address}

Keep this address to yourself: it acts as {caller} until Ctrl-C.
"""


def _given(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make console", description="the console of a stack")
    parser.add_argument("--env", default="default", help="its section of samconfig.toml")
    parser.add_argument("--config-file", type=Path, help="instead of samconfig.toml")
    parser.add_argument("--port", type=int, default=PORT, help=f"on 127.0.0.1 [{PORT}]")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
