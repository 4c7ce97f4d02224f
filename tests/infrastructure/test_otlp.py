"""Spans of the functions on a layer that was built with OTLP, as a collector takes them."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import build
from local.provider import Running
from tests.builders import CHANNEL
from tests.canary import CANARY
from tests.functions import environment, http_event
from tests.sending import channel_body
from tests.unit.examples import TRACEPARENT

ROOT = Path(__file__).parents[2]
TRACE = TRACEPARENT[3:35]

# Alone, as on Lambda: two submits, then dispatch.
WORKER = """
import importlib.util, json, sys, time
layer, functions, events = sys.argv[1:]
sys.path.insert(0, layer)

class Context:
    aws_request_id = "request-1"
    def get_remaining_time_in_millis(self):
        return 60_000

def load(name):
    spec = importlib.util.spec_from_file_location(name, f"{functions}/{name}/app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.handler

submit, dispatch = load("submit"), load("dispatch")
took, answers = [], []
for event in json.loads(events):
    began = time.monotonic()
    answers.append(submit(event, Context())["statusCode"])
    took.append(time.monotonic() - began)
tally = dispatch({}, Context())
loaded = [name for name in ("opentelemetry.exporter", "requests") if name in sys.modules]
print(json.dumps({"answers": answers, "took": took, "tally": tally, "loaded": loaded}))
"""

READER = """
import json, sys
sys.path.insert(0, sys.argv[1])
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
spans = []
for body in map(bytes.fromhex, json.load(sys.stdin)):
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        (service,) = [a.value.string_value for a in resource.resource.attributes
                      if a.key == "service.name"]
        for scope in resource.scope_spans:
            spans += [
                {"service": service, "name": span.name, "trace": span.trace_id.hex(),
                 "links": [link.trace_id.hex() for link in span.links]}
                for span in scope.spans
            ]
print(json.dumps(spans))
"""


@dataclass
class Collector:
    """Takes spans after so many seconds, with a status."""

    seconds: float = 0.0
    status: int = 200
    bodies: list[bytes] = field(default_factory=list)
    url: str = ""

    def take(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        time.sleep(self.seconds)
        assert request.path == "/v1/traces"
        self.bodies.append(body)
        request.send_response(self.status)
        request.end_headers()


@pytest.fixture
def collector() -> Iterator[Collector]:
    taking = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taking.take(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    taking.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield taking
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layer as make build has it where samconfig.toml names a collector."""
    if build.find_python() is None:
        pytest.skip("no Python 3.13 is here to run the layer: pyenv install 3.13")
    directory = tmp_path_factory.mktemp("otlp")
    shutil.copytree(ROOT / "layers" / "dovecote", directory / "source")
    built = subprocess.run(
        ["make", "build-DovecoteLayer", f"ARTIFACTS_DIR={directory}/artefacts", "OTLP=yes"],  # noqa: S607
        cwd=directory / "source",
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        check=False,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    return directory / "artefacts" / "python"


def alone(script: str, *arguments: str, given: str = "", **values: str) -> tuple[Any, str]:
    """Run a script in Python 3.13; return what its last line says, and the lines before it."""
    ran = subprocess.run(
        [str(build.find_python()), "-I", "-B", "-c", script, *arguments],
        env=values,
        input=given,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    log, _, last = ran.stdout.rstrip().rpartition("\n")
    return json.loads(last), log


@pytest.fixture
def run(
    layer: Path, database_url: str, provider: Running, catalog_folder: Path
) -> Callable[[str], tuple[Any, str]]:
    """Two submits and a run of dispatch, whose spans go to an endpoint."""

    def ran(endpoint: str) -> tuple[Any, str]:
        values = environment(
            database_url,
            provider.url,
            catalog_folder,
            OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
            INLINE_ROUTES="0",
            POWERTOOLS_SERVICE_NAME="aviary",
        )
        events = json.dumps([event(key) for key in ("one", "two")])
        return alone(WORKER, str(layer), str(ROOT / "functions"), events, **values)

    return ran


REQUESTS = {"email": 1, "push": 2}
"""With how many requests each channel sends two messages."""


def event(key: str) -> Mapping[str, Any]:
    body = channel_body(idempotency_key=key)
    headers = {"traceparent": TRACEPARENT if key == "one" else "00-malformed"}
    return http_event("POST", "/notifications", json.dumps(body).encode(), headers)


def test_a_collector_gets_the_spans_of_submits_and_of_batches_with_their_links(
    layer: Path, run: Callable[[str], tuple[Any, str]], collector: Collector
) -> None:
    ran, log = run(collector.url)
    assert (ran["answers"], ran["tally"]["published"]) == ([202, 202], 2)
    assert "not exported" not in log
    bodies = json.dumps([body.hex() for body in collector.bodies])
    spans, _ = alone(READER, str(layer), given=bodies)
    names = [span["name"].removeprefix("notification.") for span in spans]
    attempts = ["attempt"] * REQUESTS[CHANNEL]
    assert sorted(names) == [*attempts, "deliver", "dispatch", "submit", "submit"]
    assert {span["service"] for span in spans} == {"aviary"}
    by_name = dict(zip(names, spans, strict=True))
    submitted = {span["trace"] for span in spans if span["name"] == "notification.submit"}
    assert TRACE in submitted
    assert set(by_name["deliver"]["links"]) == submitted
    assert by_name["deliver"]["trace"] == by_name["dispatch"]["trace"]
    assert CANARY.encode() not in b"".join(collector.bodies)


@pytest.mark.parametrize(("seconds", "status"), [(3.0, 200), (0.0, 503), (0.0, 400)])
def test_a_collector_that_fails_costs_one_request_a_second_at_most_and_none_its_answer(
    run: Callable[[str], tuple[Any, str]], collector: Collector, seconds: float, status: int
) -> None:
    collector.seconds, collector.status = seconds, status
    ran, log = run(collector.url)
    assert (ran["answers"], ran["tally"]["published"]) == ([202, 202], 2)
    assert ran["took"][1] < 0.5
    (told,) = [line for line in log.splitlines() if "not exported" in line]
    assert json.loads(told)["message"] == "spans not exported"
    assert json.loads(told)["trace_id"] == TRACE


def test_nobody_listening_is_no_failure(run: Callable[[str], tuple[Any, str]]) -> None:
    ran, log = run("http://127.0.0.1:9")
    assert (ran["answers"], ran["tally"]["published"]) == ([202, 202], 2)
    assert log.count("spans not exported") == 1


def test_without_an_endpoint_nothing_of_the_exporter_is_loaded(
    run: Callable[[str], tuple[Any, str]],
) -> None:
    ran, log = run("")
    assert (ran["answers"], ran["loaded"]) == ([202, 202], [])
    assert "not exported" not in log
