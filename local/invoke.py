"""Lambda's Invoke, for functions that invoke functions and for whoever has boto3."""

import json
import re
import uuid

from aiohttp import web

from local.provider.problem import AwsError, as_json
from local.runtime import Runtime, UnknownFunctionError

QUALIFIER = re.compile(r":(\$LATEST|live)$")
"""There is one version here, whichever is asked for."""


def add_routes(app: web.Application, runtime: Runtime) -> None:
    """Serve Invoke under /2015-03-31/functions."""
    path = "/2015-03-31/functions/{name}/invocations"
    app.router.add_post(path, _Service(runtime).invoke)


class _Service:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def invoke(self, request: web.Request) -> web.Response:
        """Invoke a function and wait for it, or not (Event), or only look (DryRun)."""
        try:
            name = self._runtime.find(QUALIFIER.sub("", request.match_info["name"]))
            payload = _checked(await request.read())
        except UnknownFunctionError as error:
            message = f"Function not found: {error}"
            return as_json(AwsError(404, "ResourceNotFoundException", message))
        except AwsError as error:
            return as_json(error)
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


def _checked(payload: bytes) -> bytes:
    try:
        json.loads(payload or b"{}")
    except ValueError as error:
        message = f"Could not parse request body into json: {error}"
        raise AwsError(400, "InvalidRequestContentException", message) from None
    return payload or b"{}"
