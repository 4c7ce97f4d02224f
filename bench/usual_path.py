"""What one post with its inline attempt costs: `python -m bench.usual_path [TREE…]`.

Each tree is a checkout of Dovecote; with several, they are measured in turn. The handler of submit
gets the event of an HTTP request in a process of its own, with a real PostgreSQL and the local
provider in other processes. CPU counts and not time, since the machine may do other work.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psycopg

from bench.contender import PERSON_HASH_KEY
from bench.server import running as server
from local.postgres import Server
from local.provider import running as provider

ROOT = Path(__file__).parents[1]
ROUNDS, POSTS = 7, 400
COLUMNS = {
    "submit_ms": "CPU of submit, ms",
    "postgres_ms": "CPU of its backend, ms",
    "after_answer_ms": "answer of the provider to 202, ms",
    "before_send_ms": "request to send, ms",
    "round_trips": "round trips",
    "commits": "commits that write",
}

WORKER = """
import json, os, pathlib, re, statistics, sys, tempfile, time, uuid
posts = int(sys.argv[1])

from dovecote.store.schema.migrate import migrate
migrate(os.environ["DATABASE_URL"])

sys.path.insert(0, "functions/submit")
import app
from dovecote.channels.email.channel import EmailChannel
from dovecote.wiring import clients

import psycopg
with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as admin:
    # As dispatch stores the account's rate.
    admin.execute("update dovecote.channel_state set rate = 100000, rate_asked_at = now()"
                  " where resource = 'email'")

class Context:
    aws_request_id = function_name = "usual-path"
    def get_remaining_time_in_millis(self):
        return 60_000

event = json.loads(pathlib.Path("events/email.json").read_text())
send, times = EmailChannel.send, {}
def timed(self, messages):
    times["sent"] = time.perf_counter()
    answer = send(self, messages)
    times["answered"] = time.perf_counter()
    return answer
EmailChannel.send = timed

def post():
    event["headers"]["idempotency-key"] = str(uuid.uuid4())
    times["began"] = time.perf_counter()
    answer = app.handler(event, Context())
    times["ended"] = time.perf_counter()
    (route,) = json.loads(answer["body"])["routes"]
    assert route["status"] == "published", route

for _ in range(50):
    post()
database = clients.database()
(connection,) = database._kept
with tempfile.NamedTemporaryFile() as trace:
    connection.pgconn.trace(os.open(trace.name, os.O_WRONLY))
    post()
    connection.pgconn.untrace()
    lines = pathlib.Path(trace.name).read_text()
    round_trips = len(re.findall(r"\\tF\\t\\d+\\t(?:Query|Sync)\\b", lines))

def backend():
    path = pathlib.Path(f"/proc/{connection.info.backend_pid}/schedstat")
    return int(path.read_text().split()[0])

def transactions():
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as admin:
        return int(admin.execute("select pg_current_xact_id()::text").fetchone()[0])

first = transactions()
after, before = [], []
cpu, postgres = time.process_time(), backend()
for _ in range(posts):
    post()
    after.append(times["ended"] - times["answered"])
    before.append(times["sent"] - times["began"])
print(json.dumps({
    "submit_ms": (time.process_time() - cpu) / posts * 1000,
    "postgres_ms": (backend() - postgres) / posts / 1e6,
    "after_answer_ms": statistics.median(after) * 1000,
    "before_send_ms": statistics.median(before) * 1000,
    "round_trips": round_trips,
    "commits": (transactions() - first - 1) / posts,
}))
"""

Figures = Mapping[str, float]


def measure(tree: Path, one: Server, url: str, posts: int) -> Figures:
    """Return what a post costs with the code of a tree, in a new database."""
    with psycopg.connect(one.url("postgres"), autocommit=True) as admin:
        admin.execute("drop database if exists usual_path with (force)")
        admin.execute("create database usual_path")
    ran = subprocess.run(
        [sys.executable, "-c", WORKER, str(posts)],
        cwd=tree,
        env={
            **os.environ,
            "PYTHONPATH": f"{tree / 'layers' / 'dovecote'}:{tree}",
            "DATABASE_URL": one.url("usual_path"),
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_DEFAULT_REGION": "us-east-1",
            "CATALOG_PATH": str(tree / "layers" / "catalog" / "catalog"),
            "EMAIL_FROM": "Nestbox <success@simulator.amazonses.com>",
            "PERSON_HASH_KEY": PERSON_HASH_KEY,
        },
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    figures: Figures = json.loads(ran.stdout.splitlines()[-1])
    return figures


def main() -> None:
    """Measure the trees in turn; print the medians, and their ratio to the first tree."""
    parser = argparse.ArgumentParser(description="what a post with its inline attempt costs")
    parser.add_argument("trees", nargs="*", type=Path, default=[ROOT])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--posts", type=int, default=POSTS)
    given = parser.parse_args()
    trees = [tree.resolve() for tree in given.trees]
    found: dict[Path, list[Figures]] = {tree: [] for tree in trees}
    with server() as one, provider() as sends:
        for _ in range(given.rounds):
            for tree in trees:
                found[tree].append(measure(tree, one, sends.url, given.posts))
                sends.provider.forget()
    report(trees, found)


def report(trees: Sequence[Path], found: Mapping[Path, Sequence[Figures]]) -> None:
    """Print a table with a row for each figure."""
    for name, what in COLUMNS.items():
        cells = []
        for tree in trees:
            values = [figures[name] for figures in found[tree]]
            ratios = [f[name] / b[name] for f, b in zip(found[tree], found[trees[0]], strict=True)]
            cells.append(f"{statistics.median(values):.2f} ({statistics.median(ratios):.2f}x)")
        print(f"{what:40}", *(f"{cell:>18}" for cell in cells))


if __name__ == "__main__":
    main()
