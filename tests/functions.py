"""The functions as API Gateway and Lambda call them, in this process."""

import base64
import importlib.util
import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import pytest

from dovecote.wiring import clients
from tests.builders import CHANNEL
from tests.canary import heard
from tests.sending import SETTINGS
from tests.store import HASHES

ROOT = Path(__file__).parents[1]
PROBLEM = "application/problem+json"
SUBMIT = "dovecote-submit:live"


@dataclass(frozen=True)
class Context:
    """What the handlers ask of Lambda's context."""

    aws_request_id: str = "request-1"
    function_name: str = "dovecote"
    remaining_ms: int = 60_000

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


@dataclass(frozen=True)
class Answer:
    """An answer of a function behind API Gateway."""

    status: int
    headers: Mapping[str, str]
    body: Any


def load(name: str) -> ModuleType:
    """Import functions/<name>/app.py as a module of its own."""
    path = ROOT / "functions" / name / "app.py"
    spec = importlib.util.spec_from_file_location(f"functions_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def http_event(
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    key: str = "",
    parameters: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the event of a request; a body that is no text comes in Base64, as it does on AWS."""
    event = json.loads((ROOT / "events" / "email.json").read_text())
    event["routeKey"], event["rawPath"] = key or f"{method} {path}", path
    event["headers"] = {"content-type": "application/json", **(headers or {})}
    event["pathParameters"] = dict(parameters or {})
    event["requestContext"]["http"] |= {"method": method, "path": path}
    event["body"], event["isBase64Encoded"] = _body(body or b"")
    return dict(event)


def _body(body: bytes) -> tuple[str, bool]:
    try:
        return body.decode(), False
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), True


class Functions:
    """All functions of the stack on one database and one provider."""

    def __init__(self) -> None:
        self._submit = load("submit")
        self._api = load("api")
        self._dispatch = load("dispatch")
        self._feedback = load("feedback")
        self._purge = load("purge")

    def post(
        self, body: bytes | dict[str, Any], headers: Mapping[str, str] | None = None
    ) -> Answer:
        """POST /notifications."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        event = http_event("POST", "/notifications", raw, headers)
        return _answer(self._submit.handler(event, Context()))

    def post_batch(
        self, body: bytes | list[Any], headers: Mapping[str, str] | None = None
    ) -> Answer:
        """POST /notifications/batch: a whole body, or its notifications."""
        raw = body if isinstance(body, bytes) else json.dumps({"notifications": body}).encode()
        event = http_event("POST", "/notifications/batch", raw, headers)
        return _answer(self._submit.handler(event, Context()))

    def submit_messages(self, *bodies: str, **attributes: str) -> Any:
        """Bring submit messages of its queue, numbered from 0."""
        said = {name: {"dataType": "String", "stringValue": v} for name, v in attributes.items()}
        records = [
            {
                "messageId": f"message-{number}",
                "body": body,
                "eventSource": "aws:sqs",
                "messageAttributes": said,
            }
            for number, body in enumerate(bodies)
        ]
        return self._submit.handler({"Records": records}, Context())

    def invoke_submit(self, event: Any) -> Any:
        """Invoke submit directly."""
        return self._submit.handler(event, Context())

    def invoke(self, name: str, event: Any) -> Any:
        """Invoke a function with whatever event."""
        return load(name).handler(event, Context())

    def call(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """Call the api function as API Gateway does: the path is decoded, the query is not."""
        raw, _, query = path.partition("?")
        path = unquote(raw).partition("?")[0]
        for key in self._api.ROUTES:
            verb, _, pattern = key.partition(" ")
            found = re.fullmatch(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", pattern), path)
            if verb == method and found is not None:
                event = http_event(method, path, body, key=key, parameters=found.groupdict())
                event["rawQueryString"] = query
                return _answer(self._api.handler(event, Context()))
        raise LookupError(f"{method} {path} is no route")

    def expand(self, **asked: object) -> dict[str, Any]:
        """Expand submissions in SQL as the schedule has submit do it, or those that are named."""
        tally: dict[str, Any] = self._submit.handler({"expand": asked}, Context())
        return tally

    def dispatch(
        self, event: Mapping[str, Any] | None = None, *, context: Context | None = None
    ) -> dict[str, int]:
        """Run dispatch once."""
        given = context or Context()
        tally: dict[str, int] = self._dispatch.handler(dict(event or {}), given)
        return tally

    def purge(self) -> dict[str, int]:
        """Run purge once."""
        tally: dict[str, int] = self._purge.handler({}, Context())
        return tally

    def feedback(self, *bodies: str) -> Any:
        """Bring the feedback function messages of its queue, numbered from 0."""
        records = [
            {"messageId": f"message-{number}", "body": body} for number, body in enumerate(bodies)
        ]
        return self._feedback.handler({"Records": records}, Context())


@dataclass(frozen=True)
class InProcess:
    """Lambda's client: runs submit in this process for a caller who waits."""

    functions: Functions

    def invoke(self, *, FunctionName: str, Payload: str) -> dict[str, Any]:  # noqa: N803
        assert FunctionName == SUBMIT
        answer = self.functions.invoke_submit(json.loads(Payload))
        return {"Payload": BytesIO(json.dumps(answer).encode())}


def _answer(given: dict[str, Any]) -> Answer:
    body = given.get("body")
    headers = {name.lower(): value for name, value in given["headers"].items()}
    assert headers.get("content-type") != PROBLEM or not heard(body or ""), "a problem repeats it"
    return Answer(given["statusCode"], headers, json.loads(body) if body else None)


def environment(database_url: str, endpoint: str, catalog: Path, **more: str) -> dict[str, str]:
    """Return the environment that the functions read, with what the first channel needs."""
    return {
        "DATABASE_URL": database_url,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "CATALOG_PATH": str(catalog),
        "EMAIL_FROM": "Dovecote <dovecote@example.com>",
        "SUBMIT_FUNCTION": SUBMIT,
        "PERSON_HASH_KEY": HASHES.key,
        **SETTINGS.get(CHANNEL, {}),
        **more,
    }


@contextmanager
def run_functions(values: Mapping[str, str]) -> Iterator[Functions]:
    """Run the functions in an environment, wired anew."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        _forget()  # what another environment was wired with
        try:
            functions = Functions()
            patch.setattr(clients, "waiting_lambda_client", lambda: InProcess(functions))
            yield functions
        finally:
            _forget()


def _forget() -> None:
    logging.Logger.manager.loggerDict.pop("dovecote", None)  # it writes to an earlier test's stdout
    if clients.database.cache_info().currsize:
        clients.database().close()
    for name, module in sorted(sys.modules.items()):
        if name.startswith("dovecote.wiring."):
            _clear_caches(module)


def _clear_caches(module: ModuleType) -> None:
    for thing in vars(module).values():
        if hasattr(thing, "cache_clear"):
            thing.cache_clear()
