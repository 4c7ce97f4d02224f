"""The composition root: the only place that reads the environment, connects and makes clients.

Each function asks for its use case once; what is made is kept for the execution environment. What
is imported here is what every function's first request needs. The rest is imported by the function
that makes it: a cold start of api then loads no templates, and one of feedback no catalog.
"""

from __future__ import annotations

import os
import random
import threading
import time
import uuid
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dovecote.store.database import Connection, Database
from dovecote.store.postgres import PostgresStore
from dovecote.wiring.settings import BadSettings, Settings, from_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aws_lambda_powertools import Logger

    from dovecote.aws.measurements import Measurements
    from dovecote.aws.otlp import Export
    from dovecote.aws.telemetry import Tracing
    from dovecote.catalog.kinds import Catalog
    from dovecote.catalog.publication import Publication
    from dovecote.catalog.rendering import Renderer
    from dovecote.channels.base import Channel
    from dovecote.core import ports
    from dovecote.dispatch.deliver import Deliver
    from dovecote.dispatch.dispatch import Dispatch
    from dovecote.dispatch.finalise import Finaliser
    from dovecote.dispatch.pool import Pool
    from dovecote.dispatch.run import Run
    from dovecote.feedback.record_feedback import RecordFeedback
    from dovecote.operations.dead_letters import DeadLetters
    from dovecote.operations.gauges import ReadGauges
    from dovecote.operations.notifications import Notifications
    from dovecote.operations.overview import GetOverview
    from dovecote.operations.purge import Purge
    from dovecote.operations.redrives import Redrives
    from dovecote.people.devices import Devices, Registrations
    from dovecote.people.endpoints import Endpoints
    from dovecote.people.erasure import Erasure
    from dovecote.people.suppressions import KeepSuppressions
    from dovecote.store.provision import Provision
    from dovecote.submit.batch import SubmitBatch
    from dovecote.submit.submit import Submit
    from dovecote.submit.wake_up import WakeUp

CONNECT_SECONDS = 3
"""How long a connection may take: a database out of reach is a 503 within 5 s."""

CONNECTIONS = 6
"""For each of two channels a dispatcher claims a batch while it writes the results of two others.

Each is opened when it is first needed. With fewer a result would wait for the end of a claim.
"""

INVOKE_SECONDS = 1
"""How long Lambda may take to be connected to, and to take a call."""

TRIES_SECONDS = 60
"""How often submit emits metrics at most: a line for each request would cost more than it tells."""

TOKEN_SECONDS = 900
"""How long IAM takes a token of a database user: as long as it may be."""

EXPORT_MARGIN_SECONDS = 0.1
"""What a function needs to return after its spans are exported."""

_MAKING = threading.Lock()
"""Held to make what a thread may be the first to need: a client, or the log."""

CA_FILE = Path(__file__).parents[1] / "store" / "rds-ca.pem"


@cache
def settings() -> Settings:
    """Return the environment's settings; raise BadSettings at the start of a function."""
    return from_environment(os.environ)


class _Log:
    """Powertools' Logger, loaded for the first line: most of what submit and api do writes none."""

    def __init__(self) -> None:
        self.keys = {"trace_id": ""}

    def __getattr__(self, name: str) -> Any:
        """Return what writes a line, in the name of the request and of its trace."""
        with _MAKING:
            logger = _logger()
        logger.append_keys(**self.keys)
        return getattr(logger, name)


@cache
def _log() -> _Log:
    return _Log()


def log() -> ports.Log:
    """Return the structured log of this function."""
    return cast("ports.Log", _log())


def log_of(context: Any, parent: str | None = None) -> ports.Log:
    """Return the log of one invocation: each line names its request, and a trace.

    It is that of the caller's traceparent, or the invocation's own.
    """
    from dovecote.core import traceparent

    caller = traceparent.read(parent)
    trace_id = uuid.uuid4().hex if caller is None else caller.trace_id
    _log().keys = {"request_id": context.aws_request_id, "trace_id": trace_id}
    return log()


@cache
def _logger() -> Logger:
    from aws_lambda_powertools import Logger

    return Logger(service=_service())


@cache
def measures() -> Measurements:
    """Return what this function's deliveries come to."""
    from dovecote.aws.measurements import Measurements

    return Measurements(now=time.time, random=random.random)


def measure(tally: Mapping[str, int], gauges: Mapping[str, float]) -> None:
    """Emit a run's tally, what the gauges show and what was measured, in one line of the log."""
    shown = {name: [value] for name, value in {**tally, **gauges}.items()}
    _emit({**shown, **measures().take()})


def measure_tries() -> None:
    """Emit what was measured of submit's tries, at most once in a while."""
    if measures().age >= TRIES_SECONDS and (taken := measures().take()):
        _emit(taken)


def _emit(values: Mapping[str, Sequence[float]]) -> None:
    from aws_lambda_powertools import Metrics
    from aws_lambda_powertools.metrics import MetricUnit

    metrics = Metrics(namespace="Dovecote", service=_service())
    for name, several in values.items():
        unit = MetricUnit.Seconds if name.endswith("_seconds") else MetricUnit.Count
        for value in several:
            metrics.add_metric(name=name, unit=unit, value=value)
    for key, named in _log().keys.items():
        metrics.add_metadata(key=key, value=named)
    metrics.flush_metrics()


def _service() -> str:
    """Return what logs and metrics go by: two stacks in one account do not share theirs."""
    return os.environ.get("POWERTOOLS_SERVICE_NAME") or "dovecote"


@cache
def tracing() -> Tracing:
    """Return the spans of this function."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanLimits, TracerProvider

    from dovecote.aws.telemetry import Tracing

    provider = TracerProvider(
        resource=Resource.create({"service.name": _service()}),
        shutdown_on_exit=False,
        # A batch is linked to as many traces as it has routes.
        span_limits=SpanLimits(max_links=SpanLimits.UNSET),
    )
    if (export := _export()) is not None:
        provider.add_span_processor(export.processor)
    return Tracing(provider.get_tracer("dovecote"))


@contextmanager
def traced(context: Any, name: str, parent: str | None = None) -> Iterator[None]:
    """Run an invocation in a span; each line of its log names the span's trace.

    Where spans are exported, those that ended are sent away in the time that it has left.
    """
    from dovecote.aws.telemetry import trace_id

    try:
        with tracing().span(name, parent):
            _log().keys |= {"trace_id": trace_id()}
            yield
    finally:
        if (export := _export()) is not None:
            left = context.get_remaining_time_in_millis() / 1000
            if not export.flush(left - EXPORT_MARGIN_SECONDS):
                log().warning("spans not exported")


def _spans() -> ports.Span:
    """Return what opens the spans within an invocation's."""
    from dovecote.aws.telemetry import no_span

    return no_span if _export() is None else tracing().span


@cache
def _export() -> Export | None:
    """Return what sends spans away, where somebody takes them and the build put it in."""
    if not settings().otel_exporter_otlp_endpoint:
        return None
    try:
        from dovecote.aws.otlp import Export
    except ImportError:
        log().warning("spans not exported: the layer was built without OTLP")
        return None
    return Export()


@cache
def submit() -> Submit:
    """Return the submit use case, with channels that fit the budget of its best effort."""
    from dovecote.core.ids import uuid7
    from dovecote.submit.build_notification import BuildNotification
    from dovecote.submit.preview import TemplatePreview
    from dovecote.submit.routing import MailRule, Routing
    from dovecote.submit.submit import BestEffort, Submit

    here = settings()
    inline = here.inline
    _sender(here)  # one that is not set is to stop submit, also where dispatch alone would send
    return Submit(
        plan=BuildNotification(
            catalog=_catalog(),
            preview=TemplatePreview(_renderer()),
            routing=Routing(
                mail=MailRule(allowed=here.allowed_emails, redirect=here.email_redirect_to),
                topic=bool(here.push_topic_arn),
                new_id=uuid7,
            ),
            store=_store(),
            new_id=uuid7,
            clock=time.monotonic,
        ),
        store=_store(),
        # What tries nothing at once needs no client.
        deliver=_deliver(inline, _channels(inline) if here.inline_routes else {}),
        finaliser=_finaliser(),
        wake_up=_hand_over(here),
        clock=time.monotonic,
        log=log(),
        new_id=uuid.uuid4,
        best_effort=BestEffort(
            at_once=here.inline_routes,
            budget_seconds=inline.inline_budget_seconds,
            lease_seconds=inline.lease_seconds,
        ),
    )


@cache
def submit_batch() -> SubmitBatch:
    """Return the use case of many notifications at once."""
    from dovecote.submit.batch import SubmitBatch

    return SubmitBatch(
        submit=submit(),
        store=_store(),
        clock=time.monotonic,
        log=log(),
        at_once=settings().inline_routes,
    )


@cache
def dispatch() -> Dispatch:
    """Return the dispatch use case."""
    from dovecote.channels.email.channel import sending_rate
    from dovecote.dispatch.dispatch import Dispatch, Timing
    from dovecote.dispatch.rates import Rates

    here = settings()
    return Dispatch(
        store=_store(),
        deliver=_deliver(here, _channels(here)),
        finaliser=_finaliser(),
        rates=Rates(
            store=_store(),
            fixed=here.email_rate,
            ask=lambda: sending_rate(_client("sesv2", here)),
            log=log(),
        ),
        clock=time.monotonic,
        sleep=time.sleep,
        random=random.random,
        log=log(),
        new_id=uuid.uuid4,
        timing=Timing(
            batch_size=here.dispatch_batch_size,
            lease_seconds=here.lease_seconds,
            send_seconds=here.send_seconds,
            holds=here.holds,
        ),
    )


@cache
def run() -> Run:
    """Return a run of dispatch, with what it does beside by what began it."""
    from dovecote.dispatch import scale
    from dovecote.dispatch.run import Run
    from dovecote.dispatch.scale_out import ScaleOut
    from dovecote.dispatch.woken_run import WokenRun

    here = settings()
    return Run(
        dispatch=dispatch(),
        scale_out=ScaleOut(
            store=_store(),
            invoke=_invoke(here),
            clock=time.monotonic,
            log=log(),
            run=scale.one_run(here.dispatch_concurrency),
            # Nobody to call is as good as nobody wanted.
            most=here.max_dispatchers if here.dispatch_function else 1,
        ),
        take_over=WokenRun(store=_store(), dispatch=dispatch(), sleep=time.sleep, log=log()),
    )


@cache
def notifications() -> Notifications:
    """Return the use cases of a stored notification."""
    from dovecote.operations.notifications import Notifications
    from dovecote.store.notifications import PostgresStories

    return Notifications(store=_store(), stories=PostgresStories(database()))


@cache
def registrations() -> Registrations:
    """Return the use case of looking at devices, which asks nothing of the provider."""
    from dovecote.people.devices import Registrations
    from dovecote.store.devices import PostgresDevices

    return Registrations(store=PostgresDevices(database()))


@cache
def devices() -> Devices:
    """Return the use cases of a user's devices."""
    from dovecote.people.devices import Devices
    from dovecote.store.devices import PostgresDevices

    return Devices(store=PostgresDevices(database()), endpoints=_endpoints(settings()))


@cache
def dead_letters() -> DeadLetters:
    """Return the use cases of dead letters."""
    from dovecote.core.ids import uuid7
    from dovecote.operations.dead_letters import DeadLetters
    from dovecote.store.dead_letters import PostgresDeadLetters

    return DeadLetters(letters=PostgresDeadLetters(database()), store=_store(), new_id=uuid7)


@cache
def redrives() -> Redrives:
    """Return the use cases of redrives by filter."""
    from dovecote.core.ids import uuid7
    from dovecote.operations.redrives import Redrives
    from dovecote.store.dead_letters import PostgresDeadLetters

    return Redrives(letters=PostgresDeadLetters(database()), new_id=uuid7, clock=time.monotonic)


@cache
def overview() -> GetOverview:
    """Return the use case of the console's first screen."""
    from dovecote.operations.overview import GetOverview
    from dovecote.store.overview import PostgresOverview

    return GetOverview(store=PostgresOverview(database()))


@cache
def erasure() -> Erasure:
    """Return the use cases of who is to be forgotten."""
    from dovecote.people.erasure import Erasure
    from dovecote.store.erasure import PostgresErasure

    return Erasure(
        people=PostgresErasure(database()),
        devices=devices(),
        store=_store(),
        clock=time.monotonic,
        log=log(),
    )


@cache
def purge() -> Purge:
    """Return the use case of what is kept no longer."""
    from dovecote.operations.purge import Purge
    from dovecote.store.retention import PostgresRetention

    retention = PostgresRetention(database())
    return Purge(store=retention, days=settings().retention_days, log=log())


@cache
def suppressions() -> KeepSuppressions:
    """Return the use cases of suppressed addresses."""
    from dovecote.people.suppressions import KeepSuppressions
    from dovecote.store.suppressions import PostgresSuppressions

    return KeepSuppressions(store=PostgresSuppressions(database()))


@cache
def feedback() -> RecordFeedback:
    """Return the use case of what SES tells."""
    from dovecote.feedback.record_feedback import RecordFeedback

    return RecordFeedback(store=_store())


@cache
def gauges() -> ReadGauges:
    """Return the use case of what alarms look at."""
    from dovecote.operations.gauges import ReadGauges

    return ReadGauges(store=_store(), log=log())


@cache
def provision() -> Provision:
    """Return what brings the database to this release."""
    from dovecote.store.provision import Provision

    return Provision(
        connect=_connect,
        # At once: wrong settings or a wrong catalog are no reason to wait for a database.
        publication=publication(settings()),
        clock=time.monotonic,
        sleep=time.sleep,
        log=log(),
    )


def publication(here: Settings) -> Publication:
    """Return what submits in SQL are to go by under these settings; raise BadCatalog."""
    from dovecote.catalog import kinds
    from dovecote.catalog.publication import Publication

    folder = Path(here.catalog_path)
    return Publication(
        catalog=kinds.load(folder),
        version=kinds.version(folder),
        allowed=here.allowed_emails,
        redirect=here.email_redirect_to,
        topic=bool(here.push_topic_arn),
    )


@cache
def database() -> Database:
    """Return the database; a connection is opened when it is first needed."""
    return Database(_connect, most=CONNECTIONS)


@cache
def _store() -> PostgresStore:
    return PostgresStore(database(), default_max_attempts=settings().max_attempts)


@cache
def _catalog() -> Catalog:
    from dovecote.catalog import kinds

    return kinds.load(Path(settings().catalog_path))


@cache
def _renderer() -> Renderer:
    """Return the templates of the catalog."""
    from dovecote.catalog.rendering import Renderer

    return Renderer(_catalog(), Path(settings().catalog_path))


@cache
def _finaliser() -> Finaliser:
    from dovecote.core.backoff import Backoff
    from dovecote.dispatch.finalise import Finaliser
    from dovecote.dispatch.pauses import Pauses

    here = settings()
    backoff = Backoff(
        base=here.backoff_base_seconds,
        factor=here.backoff_factor,
        maximum=here.backoff_max_seconds,
        jitter=here.backoff_jitter,
    )
    # Not cryptography: it spreads retries.
    return Finaliser(
        backoff=backoff,
        holds=here.holds,
        pauses=Pauses(
            base=here.pause_base_seconds,
            most=here.pause_max_seconds,
            random=random.random,
            log=log(),
        ),
        random=random.random,
        log=log(),
        clock=time.monotonic,
        sleep=time.sleep,
        measure=measures().settled,
    )


def _endpoints(here: Settings) -> Endpoints:
    from dovecote.channels.push.endpoints import SnsEndpoints

    return SnsEndpoints(client=_client("sns", here), applications=here.push_applications)


def _hand_over(here: Settings) -> WakeUp | None:
    if not here.dispatch_function:
        return None
    from concurrent.futures import ThreadPoolExecutor

    from dovecote.submit.wake_up import WakeUp

    return WakeUp(
        store=_store(),
        invoke=_invoke(here),
        executor=ThreadPoolExecutor(max_workers=1),
        clock=time.monotonic,
        log=log(),
    )


def _invoke(here: Settings) -> ports.Invoke:
    from dovecote.aws.invocation import LambdaInvoke

    return LambdaInvoke(client=_lambda, function=here.dispatch_function)


def _deliver(here: Settings, channels: Mapping[str, Channel]) -> Deliver:
    from dovecote.catalog.check_payload import CheckPayload
    from dovecote.dispatch.deliver import Deliver

    return Deliver(
        store=_store(),
        channels=channels,
        check=CheckPayload(_catalog()),
        clock=time.monotonic,
        send_seconds=here.send_seconds,
        span=_spans(),
    )


def _channels(here: Settings) -> Mapping[str, Channel]:
    from dovecote.aws.telemetry import trace_id
    from dovecote.channels.email.channel import EmailChannel
    from dovecote.channels.push.channel import PushChannel
    from dovecote.core.route import Channel

    email = EmailChannel(
        client=_client("sesv2", here),
        catalog=_catalog(),
        renderer=_renderer(),
        pool=_pool(here),
        sender=_sender(here),
        configuration_set=here.email_configuration_set,
        bulk_size=here.email_bulk_size,
    )
    push = PushChannel(
        client=lambda: _client("sns", here),
        catalog=_catalog(),
        renderer=_renderer(),
        pool=_pool(here),
        topic_arn=here.push_topic_arn,
        trace_id=trace_id,
        now=time.time,
    )
    return {Channel.EMAIL: email, Channel.PUSH: push}


def _pool(here: Settings) -> Pool:
    """Return the threads of one channel: one that stalls does not hold up the other."""
    from dovecote.dispatch.pool import Pool

    return Pool(
        workers=here.dispatch_concurrency,
        send_seconds=here.send_seconds,
        clock=time.monotonic,
        sleep=time.sleep,
        span=_spans(),
        sent=measures().sent,
    )


def _sender(here: Settings) -> str:
    """Return the sender of kinds that name none of their own; raise BadSettings without one."""
    from dovecote.core.addresses import encoded
    from dovecote.core.route import Channel

    if here.email_from:
        return encoded(here.email_from)
    for kind in _catalog().values():
        if Channel.EMAIL in kind.channels and kind.sender is None:
            raise BadSettings(f"EMAIL_FROM: is not set, and {kind.name} names no sender")
    return ""


@cache
def _session() -> Any:
    """Return the one boto3 session; a second costs as much again."""
    import boto3

    return boto3.session.Session()


@cache
def _client(service: str, here: Settings) -> Any:
    """Make a client of SES or SNS."""
    return _made(
        service,
        connect_timeout=here.send_connect_seconds,
        read_timeout=here.send_read_seconds,
        max_pool_connections=here.dispatch_concurrency,
    )


@cache
def _lambda() -> Any:
    """Make the client that calls dispatch: a call that is lost costs only the wait."""
    return _made("lambda", connect_timeout=INVOKE_SECONDS, read_timeout=INVOKE_SECONDS)


def _made(service: str, **config: Any) -> Any:
    """Make a client that sends each request once: boto3 would repeat a stalled SendEmail.

    The user agent is named, since boto3 would put its own together twice for each request.
    """
    import boto3
    from botocore.config import Config

    session = _session()
    agent = f"Dovecote Boto3/{boto3.__version__}"
    config |= {"retries": {"total_max_attempts": 1}, "user_agent": agent}
    with _MAKING:
        return session.client(service, config=Config(**config))


def _connect() -> Connection:
    """Open an autocommit connection, by URL or with a token of IAM."""
    here = settings()
    target = {"conninfo": here.database_url} if here.database_url else _iam(here)
    return Connection.connect(
        **target,
        autocommit=True,
        # RDS Proxy and other poolers pin a connection that prepares.
        prepare_threshold=None,
        connect_timeout=CONNECT_SECONDS,
        application_name="dovecote",
    )


def _iam(here: Settings) -> dict[str, Any]:
    """Return the parameters of an IAM connection."""
    return {
        "host": here.db_host,
        "port": here.db_port,
        "dbname": here.db_name,
        "user": here.db_user,
        "password": _token(here),
        "sslmode": "verify-full",
        "sslrootcert": str(CA_FILE),
    }


def _token(here: Settings) -> str:
    """Sign what boto3's generate_db_auth_token signs, without a client and RDS's model for it.

    On a cold start that takes 3 ms of CPU instead of 58.
    """
    from botocore.auth import SigV4QueryAuth
    from botocore.awsrequest import AWSRequest

    session = _session()
    if not session.region_name:
        raise BadSettings("AWS_DEFAULT_REGION: is not set, and a token of IAM is for one region")
    request = AWSRequest(
        method="GET",
        url=f"https://{here.db_host}:{here.db_port}/",
        params={"Action": "connect", "DBUser": here.db_user},
    )
    credentials = session.get_credentials()
    credentials = credentials and credentials.get_frozen_credentials()
    SigV4QueryAuth(credentials, "rds-db", session.region_name, TOKEN_SECONDS).add_auth(request)
    return str(request.url).removeprefix("https://")
