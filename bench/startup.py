"""What a cold start costs; alone: `PYTHONPATH=layers/dovecote:. .venv/bin/python -m bench.startup`.

Each case is a fresh process of Python 3.13 with the built layer: it imports a handler and calls it
once, against a real PostgreSQL and the local provider. The cases alternate, and what counts is the
CPU time of the process from before the import until after the call, as a multiple of what the
comparison takes: two boto3 clients, one connection, one INSERT and one SendEmail.
"""

import argparse
import json
import platform
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

import build
from bench.contender import PERSON_HASH_KEY
from bench.report import Rounds, Table, Target, markdown, spread
from dovecote import channels
from dovecote.catalog.compile import compile_catalog
from dovecote.store.schema.migrate import migrate
from local.postgres import Server
from local.provider import running

ROOT = Path(__file__).parents[1]

# Alone: no site-packages and no PYTHON* variables, nothing written, as on Lambda.
WORKER = """
import sys, time
began = time.process_time()
layer, function, event = sys.argv[1:]
sys.path[:0] = [function, layer]
import json

class Context:
    aws_request_id = function_name = "startup"
    def get_remaining_time_in_millis(self):
        return 60_000

import app
imported = time.process_time()
answer = app.handler(json.loads(event), Context())
ended = time.process_time()
print(json.dumps({"import": imported - began, "call": ended - imported, "answer": answer}))
"""

TITLE = "Start-up"
COMPARISON = "comparison"
AIMS = {"submit": 1.1, "dispatch": 1.2}


@dataclass(frozen=True, kw_only=True)
class Start:
    """One cold start: seconds of CPU, and what was answered."""

    imported: float
    called: float
    answer: Any

    @property
    def whole(self) -> float:
        """Return the seconds of CPU until the answer."""
        return self.imported + self.called


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where cold starts are tried: an interpreter, a layer and an environment."""

    python: str
    layer: Path
    environment: Mapping[str, str]

    def start(self, folder: str, event: Any, **more: str) -> Start:
        """Start a function anew and call it once."""
        command = [self.python, "-I", "-S", "-B", "-c", WORKER, str(self.layer)]
        ran = subprocess.run(
            [*command, str(ROOT / folder), json.dumps(event)],
            env={**self.environment, **more},
            capture_output=True,
            check=False,
            text=True,
        )
        if ran.returncode != 0:
            sys.exit(ran.stderr)
        told = json.loads(ran.stdout.splitlines()[-1])
        return Start(imported=told["import"], called=told["call"], answer=told["answer"])

    def round(self) -> dict[str, Start]:
        """Start each case once; what submit only stores is there for dispatch to send."""
        reset = json.loads((ROOT / "events" / "email.json").read_text())
        starts = {
            COMPARISON: self.start("bench/comparison", reset),
            "submit": self.start("functions/submit", _fresh(reset)),
            "submit, nothing tried at once": self.start(
                "functions/submit", _fresh(reset), INLINE_ROUTES="0"
            ),
            "dispatch": self.start("functions/dispatch", {}),
        }
        stored = json.loads(starts["submit"].answer["body"])
        starts["api, a read"] = self.start("functions/api", _read(stored["notification_id"]))
        starts["feedback, a delivery"] = self.start("functions/feedback", _delivery(stored))
        _require(starts, stored)
        return starts


def _fresh(event: Mapping[str, Any]) -> dict[str, Any]:
    return {**event, "headers": {**event["headers"], "idempotency-key": str(uuid.uuid4())}}


def _read(notification_id: str) -> dict[str, Any]:
    event = json.loads((ROOT / "events" / "get.json").read_text())
    return {**event, "pathParameters": {"notification_id": notification_id}}


def _delivery(stored: Mapping[str, Any]) -> dict[str, Any]:
    (route,) = stored["routes"]
    tags = {"route_id": [route["route_id"]], "claim": ["1"], "kind": ["account-password_reset"]}
    mail = {"messageId": route["provider_message_id"], "tags": tags}
    detail = {"eventType": "Delivery", "mail": mail}
    body = {"source": "aws.ses", "detail-type": "Email Delivered", "detail": detail}
    return {"Records": [{"messageId": "1", "body": json.dumps(body)}]}


def _require(starts: Mapping[str, Start], stored: Mapping[str, Any]) -> None:
    """Stop where a case did not do what is measured."""
    assert [route["status"] for route in stored["routes"]] == ["published"], stored
    untried = json.loads(starts["submit, nothing tried at once"].answer["body"])
    assert [route["status"] for route in untried["routes"]] == ["pending"], untried
    assert starts["dispatch"].answer["published"] == 1, starts["dispatch"].answer
    assert starts["api, a read"].answer["statusCode"] == 200, starts["api, a read"].answer
    assert starts["feedback, a delivery"].answer == {"batchItemFailures": []}


def main() -> None:
    """Measure, and print the medians."""
    parser = argparse.ArgumentParser(description="what a cold start costs")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--layer", type=Path, help="a layer that was built before")
    given = parser.parse_args()
    print(markdown(table(given.rounds, given.layer)))


def table(rounds: int, layer: Path | None = None) -> Table:
    """Measure cold starts in so many rounds, with a layer that is built for it."""
    python = build.find_python()
    if python is None:
        return Table(title=TITLE, note="Not measured: it needs a Python 3.13.", columns=(), rows={})
    found = measured(python, rounds, layer)
    over = {name: [one[name].whole / one[COMPARISON].whole for one in found] for name in found[0]}
    return Table(
        title=TITLE,
        note="Milliseconds of CPU of a fresh Python 3.13 with the built layer and its .pyc, from"
        " before the import until after the first answer, one email tried inline or dispatched;"
        " and as a multiple of a handler that makes two boto3 clients, one connection, one INSERT"
        " and one SendEmail.",
        columns=("import", "call", "whole", "ratio"),
        rows={name: _cells([one[name] for one in found], over[name]) for name in found[0]},
        targets=[
            Target(what=f"start-up of {name}, CPU over the comparison", most=aim, rounds=over[name])
            for name, aim in AIMS.items()
        ],
    )


def _cells(starts: Sequence[Start], over: Rounds) -> list[str]:
    parts = zip(*((s.imported, s.called, s.whole) for s in starts), strict=True)
    cells = [spread([1000 * one for one in part]) for part in parts]
    return [*cells, "" if set(over) == {1.0} else spread(over, "x")]


def measured(python: str, rounds: int, layer: Path | None) -> list[dict[str, Start]]:
    """Return the cold starts of each round."""
    with tempfile.TemporaryDirectory(prefix="dovecote-startup-") as place:
        built = layer or _built(Path(place, "layer"))
        with Server(Path(place, "postgres"), durable=False) as server, running() as provider:
            migrate(server.url())
            with psycopg.connect(server.url(), autocommit=True) as connection:
                connection.execute("create table public.startup_comparison (body text not null)")
            catalog = _catalog(Path(place, "catalog"))
            values = _environment(server.url(), provider.url, catalog)
            bench = Bench(python=python, layer=built, environment=values)
            bench.round()  # fills the caches of the file system
            return [bench.round() for _ in range(rounds)]


def _built(layer: Path) -> Path:
    """Build the layer for this machine."""
    machine = "arm64" if platform.machine() == "aarch64" else "x86_64"
    build.build(layer, machine, strict=True)
    return layer


def _catalog(folder: Path) -> Path:
    """Copy and compile the catalog, as `make build` does."""
    shutil.copytree(ROOT / "layers" / "catalog" / "catalog", folder)
    compile_catalog(folder, channels.sections())
    return folder


def _environment(database_url: str, endpoint: str, catalog: Path) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "CATALOG_PATH": str(catalog),
        "PERSON_HASH_KEY": PERSON_HASH_KEY,
        "EMAIL_FROM": "Dovecote <dovecote@example.com>",
    }


if __name__ == "__main__":
    main()
