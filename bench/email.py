"""Email to the local provider over HTTP: recipients for each CPU second of the process that sends.

The provider runs beside it, in the bench's own process, and its CPU does not count.
"""

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from functools import partial

import psycopg

from bench.contender import CATALOG, PERSON_HASH_KEY, ROOT, Contender
from bench.measure import Bench, Wrong
from bench.report import Table, Target, spread
from bench.rounds import Size, rounds
from local.provider import Running, running

ALONE = "the sender alone"
SINGLY, IN_BULK = 1, 50
BATCHES = (100, 500)
COLUMNS = {"singly": SINGLY, f"in calls of {IN_BULK}": IN_BULK}


def email_table(bench: Bench, size: Size) -> Table:
    """Measure what of a CPU second a recipient takes, by the channel alone and by the loop."""
    counts = {SINGLY: size.jobs // 25, IN_BULK: size.jobs // 5}
    with running() as provider:
        series = {
            (ALONE, per_call): partial(_alone, provider, per_call, count)
            for per_call, count in counts.items()
        } | {
            (_loop_of(batch), per_call): partial(_loop, bench, provider, batch, per_call, count)
            for batch in BATCHES
            for per_call, count in counts.items()
        }
        found = rounds(size.rounds, {f"{name} {n}": run for (name, n), run in series.items()})
    return Table(
        title="Email to the local provider",
        note="Recipients for each second of CPU (user and system) of the process that sends, of"
        f" {counts[SINGLY]:,} singly and {counts[IN_BULK]:,} in bulk: HTML of 6 KB and text, a"
        " notification and a trace for each. Each was taken once by the provider, and is on record"
        " under the message id that it gave.",
        columns=tuple(COLUMNS),
        rows={
            name: [spread(found[f"{name} {per_call}"]) for per_call in COLUMNS.values()]
            for name in dict.fromkeys(name for name, _ in series)
        },
        targets=[
            Target(
                what=f"email {words}, the channel alone, recipients per CPU second",
                rounds=found[f"{ALONE} {per_call}"],
                least=least,
                unit="",
            )
            for words, per_call, least in (("singly", SINGLY, 600), ("in bulk", IN_BULK, 8_000))
        ],
    )


def _loop_of(batch: int) -> str:
    return f"the loop from PostgreSQL with email_deliveries, batches of {batch}"


def _alone(provider: Running, per_call: int, count: int) -> float:
    sender = dovecote_mailer(provider, BATCHES[0], per_call)
    command = sender.command("alone", "postgresql:///unused", count)
    (seconds,) = reported(provider, command, sender, "cpu")
    _taken(provider, count)
    return count / seconds


def _loop(bench: Bench, provider: Running, batch: int, per_call: int, count: int) -> float:
    sender = dovecote_mailer(provider, batch, per_call)
    url = bench.filled(sender, count)
    (seconds,) = reported(provider, sender.command("drain", url), sender, "cpu")
    bench.expect(sender, sender.done, count)
    with psycopg.connect(url) as connection:
        kept = connection.execute(
            "select route_id::text, message_id from dovecote.email_deliveries"
        ).fetchall()
    if dict(kept) != _taken(provider, count):
        raise Wrong("what is on record is not what the provider took")
    return count / seconds


def _taken(provider: Running, count: int) -> dict[str, str]:
    """Return the message ids of the routes; raise Wrong where one was not taken once."""
    accepted = list(provider.provider.ledger.accepted)
    times = Counter(row.route_id for row in accepted)
    addresses = {row.target for row in accepted}
    if set(times.values()) != {1} or not len(times) == len(addresses) == count:
        raise Wrong(f"{count} emails were to be taken once: {len(accepted)} of {len(times)} routes")
    return {str(row.route_id): row.message_id for row in accepted}


def dovecote_mailer(provider: Running, batch: int, per_call: int) -> Contender:
    """Return Dovecote with its own channel and this provider."""
    return Contender(
        name=f"email, batches of {batch}, calls of {per_call}",
        program=[sys.executable, "-m", "bench.mailer"],
        left="",
        done="select count(*) from dovecote.notification_routes r join dovecote.email_deliveries d"
        " on (d.route_id, d.message_id) = (r.route_id, r.provider_message_id)"
        " where r.status = 'published' and r.attempts = 1 and r.claims = 1",
        stored="",
        environment={
            "AWS_ENDPOINT_URL": provider.url,
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_DEFAULT_REGION": "us-east-1",
            "CATALOG_PATH": str(CATALOG),
            "DISPATCH_BATCH_SIZE": str(batch),
            "EMAIL_BULK_SIZE": str(per_call),
            "PERSON_HASH_KEY": PERSON_HASH_KEY,
            "EMAIL_FROM": "Nestbox <success@simulator.amazonses.com>",
            "EMAIL_MAX_PER_SECOND": "900000",
        },
    )


def reported(
    provider: Running, command: list[str], sender: Contender, word: str
) -> Sequence[float]:
    """Run the program; return the numbers that it reports after a word."""
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=sender.environ(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line in process.stdout:  # lines of the log are among them
            first, *numbers = line.split() or [""]
            if first == "ready":
                provider.provider.forget()
                process.stdin.write("go\n")
                process.stdin.flush()
            elif first == word:
                return [float(number) for number in numbers]
    raise Wrong(f"{sender.name} ended with {process.returncode}")
