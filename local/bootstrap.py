"""A Lambda runtime in pure Python, for platforms that awslambdaric has no wheel for.

    python -P bootstrap.py HANDLER

It speaks the Runtime API at AWS_LAMBDA_RUNTIME_API. Context, answers, errors and log lines are
those of awslambdaric: tests/integration/local/test_bootstrap.py runs both. It uses the standard
library only, so that a function imports from its own folder and its layers.
"""

import http.client
import importlib
import importlib.util
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path
from traceback import FrameSummary, extract_tb, format_list
from typing import Any, NoReturn

# Built from its source outside Linux, the first comes without the second, its native half.
AWSLAMBDARIC = ("awslambdaric", "runtime_client")
API = "/2018-06-01/runtime"
LOG_FORMAT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"
NO_BREAK_SPACE = "\u00a0"
Handler = Callable[[Any, "LambdaContext"], object]
Report = dict[str, Any]


def command(handler: str) -> list[str]:
    """Return the command that runs a handler: awslambdaric, as on Lambda, where it is installed."""
    if all(importlib.util.find_spec(module) for module in AWSLAMBDARIC):
        return [sys.executable, "-m", "awslambdaric", handler]
    return [sys.executable, "-P", __file__, handler]


class Fault(Exception):
    """An error that Lambda has a name for, reported without the frames that raised it."""

    def __init__(self, kind: str, message: str, trace: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.kind = f"Runtime.{kind}"
        self.trace = list(trace)


@dataclass(frozen=True, kw_only=True)
class LambdaContext:
    """Context of one invocation."""

    aws_request_id: str
    invoked_function_arn: str
    deadline_ms: int
    function_name: str
    function_version: str
    memory_limit_in_mb: str
    log_group_name: str
    log_stream_name: str

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the timeout, at least 0."""
        return max(0, self.deadline_ms - int(time.time() * 1000))


class Client:
    """Runs one function on the events of a runtime API."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._request_id = ""

    def run(self, handler: str) -> NoReturn:
        """Run a handler on one event after another; exit with 1 where it cannot be imported."""
        try:
            function = load(handler)
        except Exception as error:  # noqa: BLE001 - whatever the import raised is reported
            self._report("/init/error", error)
            sys.exit(1)
        while True:
            self._invoke(function)

    def add_request_id(self, record: logging.LogRecord) -> bool:
        """Give a log record the id of the current request."""
        record.aws_request_id = self._request_id
        return True

    def _invoke(self, function: Handler) -> None:
        headers, event = self._call("GET", "/invocation/next")
        context = _context(headers)
        self._request_id = context.aws_request_id
        os.environ["_X_AMZN_TRACE_ID"] = headers["Lambda-Runtime-Trace-Id"]
        try:
            answer = _encoded(function(_decoded(event), context))
        except Exception as error:  # noqa: BLE001 - whatever the function raised is its answer
            self._report(f"/invocation/{self._request_id}/error", error)
        else:
            self._call("POST", f"/invocation/{self._request_id}/response", answer)

    def _report(self, path: str, error: Exception) -> None:
        document = described(error, self._request_id)
        sys.stdout.write(f"{log_line(document)}\n")
        self._call("POST", path, json.dumps(document).encode())

    def _call(
        self, method: str, path: str, body: bytes | None = None
    ) -> tuple[http.client.HTTPMessage, bytes]:
        """Send a request to the runtime API; raise ConnectionError where it is refused."""
        with closing(http.client.HTTPConnection(self._address)) as connection:
            connection.request(method, API + path, body)
            answer = connection.getresponse()
            content = answer.read()
        if answer.status not in (http.HTTPStatus.OK, http.HTTPStatus.ACCEPTED):
            raise ConnectionError(f"the runtime API answered {path} with {answer.status}")
        return answer.headers, content


def load(handler: str) -> Handler:
    """Import a handler, given as module.function; raise Fault, or what the module raised."""
    module, _, name = handler.rpartition(".")
    if not module:
        raise Fault("MalformedHandlerName", f"Bad handler '{handler}': must be module.function")
    try:
        imported = importlib.import_module(module)
    except ImportError as error:
        raise Fault("ImportModuleError", f"Unable to import module '{module}': {error}") from error
    except SyntaxError as error:
        where = f'  File "{error.filename}" Line {error.lineno}\n    {error.text}'
        message = f"Syntax error in module '{module}': {error}"
        raise Fault("UserCodeSyntaxError", message, [where]) from error
    if not hasattr(imported, name):
        raise Fault("HandlerNotFound", f"Handler '{name}' missing on module '{module}'")
    function: Handler = getattr(imported, name)
    return function


def described(error: Exception, request_id: str) -> Report:
    """Describe an error as Lambda does; the stack trace begins with the function's own frames."""
    if isinstance(error, Fault):
        kind, trace = error.kind, error.trace
    else:
        frames = extract_tb(error.__traceback__)
        own = dropwhile(lambda frame: frame.filename == __file__, frames)
        # Without columns, which Lambda leaves out.
        lines = [FrameSummary(one.filename, one.lineno, one.name, line=one.line) for one in own]
        kind, trace = type(error).__name__, format_list(lines)
    return {
        "errorMessage": str(error),
        "errorType": kind,
        "requestId": request_id,
        "stackTrace": trace,
    }


def log_line(document: Report) -> str:
    """Return an error as one line: carriage returns within, and indents that nothing trims."""
    message = f": {document['errorMessage']}" if document["errorMessage"] else ""
    lines = [f"[ERROR] {document['errorType']}{message}", "Traceback (most recent call last):"]
    for line in (line for part in document["stackTrace"] for line in part.splitlines()):
        text = line.lstrip(" ")
        lines.append(NO_BREAK_SPACE * (len(line) - len(text)) + text)
    return "\r".join(lines)


def _context(headers: http.client.HTTPMessage) -> LambdaContext:
    return LambdaContext(
        aws_request_id=headers["Lambda-Runtime-Aws-Request-Id"],
        invoked_function_arn=headers["Lambda-Runtime-Invoked-Function-Arn"],
        deadline_ms=int(headers["Lambda-Runtime-Deadline-Ms"]),
        function_name=os.environ["AWS_LAMBDA_FUNCTION_NAME"],
        function_version=os.environ["AWS_LAMBDA_FUNCTION_VERSION"],
        memory_limit_in_mb=os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"],
        log_group_name=os.environ["AWS_LAMBDA_LOG_GROUP_NAME"],
        log_stream_name=os.environ["AWS_LAMBDA_LOG_STREAM_NAME"],
    )


def _decoded(event: bytes) -> Any:
    try:
        return json.loads(event)
    except ValueError as error:
        raise Fault("UnmarshalError", f"Unable to unmarshal input: {error}") from error


def _encoded(answer: object) -> bytes:
    try:
        return json.dumps(answer).encode()
    except (TypeError, ValueError) as error:
        raise Fault("MarshalError", f"Unable to marshal response: {error}") from error


def _log_to_stdout(client: Client) -> None:
    """Send each line, and the records of the root logger, to stdout at once."""
    assert hasattr(sys.stdout, "reconfigure")
    sys.stdout.reconfigure(line_buffering=True)
    formatter = logging.Formatter(LOG_FORMAT, "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    handler.addFilter(client.add_request_id)
    logging.getLogger().addHandler(handler)


def main(handler: str) -> NoReturn:
    """Run a handler of the working directory, as python -m awslambdaric does."""
    sys.path.insert(0, str(Path.cwd()))
    client = Client(os.environ["AWS_LAMBDA_RUNTIME_API"])
    _log_to_stdout(client)
    client.run(handler)


if __name__ == "__main__":
    main(sys.argv[1])
