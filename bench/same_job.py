"""The same job by Dovecote and others: store emails, then deliver them by SES v2, one worker."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench import mailer
from bench.contender import CATALOG, NODE, PEERS, Contender
from bench.email import dovecote_mailer, reported
from bench.measure import Bench, Wrong
from bench.report import Table, number, spread
from bench.rounds import Size, rounds
from dovecote.catalog import kinds
from dovecote.catalog.rendering import Renderer
from dovecote.channels import sections
from dovecote.channels.email import mail
from local.provider import Fault, Order, Running, running

IN_FLIGHT = 32
"""Requests at once: the default of Dovecote."""

LATENCIES = (0, 40)
SENDER = "Nestbox <success@simulator.amazonses.com>"

Took = Sequence[float]
"""The seconds of storing and of delivering, and the worker's CPU seconds of delivering."""


def table(bench: Bench, size: Size) -> Table:
    """Measure the job at each latency of the provider."""
    with running() as provider, _message() as file:
        contenders = _contenders(provider, file)
        series = {
            f"{latency} {one.name}": partial(_took, bench, provider, one, size.emails, latency)
            for one in contenders
            for latency in LATENCIES
        }
        found = rounds(size.rounds, series)
    return Table(
        title="The same job: store, then deliver by SES v2",
        note=f"{size.emails:,} emails to the local provider, stored one by one, then sent by one"
        f" worker with at most {IN_FLIGHT} requests at once. Emails stored in a second; emails"
        " delivered in a second if the provider answers at once or after 40 ms; the worker's CPU"
        " for an email at 0 ms, in ms. Dovecote renders each email from its payload and records"
        " its message id; the others send the same rendered email each time. The provider uses the"
        " same cores and limits single sends at 0 ms.",
        columns=("stored", *(f"delivered, {latency} ms" for latency in LATENCIES), "CPU"),
        rows={
            one.name: _cells([found[f"{latency} {one.name}"] for latency in LATENCIES], size.emails)
            for one in contenders
        },
    )


def _cells(by_latency: Sequence[Sequence[Took]], emails: int) -> Sequence[str]:
    at_once = by_latency[0]
    storing = [emails / took[0] for took in at_once if took[0]]
    return (
        spread(storing) if storing else "nothing",
        *(spread([emails / took[1] for took in each]) for each in by_latency),
        number(median(took[2] for took in at_once) / emails * 1000),
    )


def _took(bench: Bench, provider: Running, one: Contender, emails: int, latency: int) -> Took:
    url = bench.empty(one)
    stalls = [Order(do=Fault.STALL, service="ses", seconds=latency / 1000)] if latency else []
    provider.provider.replace(stalls)
    took = reported(provider, one.command("job", url, emails, IN_FLIGHT), one, "took")
    provider.provider.replace([])
    accepted = [row.target for row in provider.provider.ledger.accepted]
    if not len(accepted) == len(set(accepted)) == emails:
        raise Wrong(f"{one.name}: {len(accepted)} emails were accepted instead of {emails}")
    return took


def _contenders(provider: Running, file: Path) -> Sequence[Contender]:
    own = [
        replace(dovecote_mailer(provider, batch, per_call), name=f"Dovecote, {words}")
        for batch, per_call, words in ((100, 1, "one email in a call"), (100, 50, "by default"))
    ]
    environment = {**own[0].environment, "MESSAGE_FILE": str(file), "AWS_REGION": "us-east-1"}
    others = (
        ("graphile-worker with client-sesv2", [NODE, str(PEERS / "ses.mjs")]),
        ("boto3 in threads, from a list", [sys.executable, "-m", "bench.peers.loop"]),
    )
    return [
        *(replace(one, environment={**one.environment, "INLINE_ROUTES": "0"}) for one in own),
        *(
            Contender(
                name=name, program=program, left="", done="", stored="", environment=environment
            )
            for name, program in others
        ),
    ]


@contextmanager
def _message() -> Iterator[Path]:
    """Write the email that Dovecote renders, for the others to send."""
    catalog = kinds.load(CATALOG, sections())
    kind = catalog[mailer.KIND]
    rendered = mail.render(Renderer(catalog, CATALOG), kind, None, mailer.PAYLOAD)
    message = {"sender": SENDER, "subject": rendered.subject}
    message |= {"html": rendered.html, "text": rendered.text}
    with TemporaryDirectory() as directory:
        file = Path(directory, "message.json")
        file.write_text(json.dumps(message))
        yield file
