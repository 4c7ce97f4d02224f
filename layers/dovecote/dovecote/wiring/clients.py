"""The clients of AWS services, and of the database, by URL or with an IAM token."""

import json
import threading
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from dovecote.core.inbox import Expand
from dovecote.core.parsing.settings import BadSettings
from dovecote.core.ports import Invoke, NotInvoked
from dovecote.core.problems import Unavailable
from dovecote.store.database import Connection, Database
from dovecote.wiring.settings import Settings, load

INVOKE_SECONDS = 1
"""How long Lambda may take to accept a connection, and to answer a call."""

EXPAND_SECONDS = 8
"""How long submit may take to answer that a submission is expanded, with a cold start."""

NOT_EXPANDED = "The pending submission could not be expanded; retry later."

CONNECT_SECONDS = 3
"""How long a connection may take: an unreachable database is a 503 within 5 s."""

MAX_CONNECTIONS = 6
"""For each of two channels a dispatcher claims one batch while it writes the results of two others.

Each connection is opened when it is first needed. With fewer, a result would wait for a claim.
"""

TOKEN_SECONDS = 900
"""How long IAM accepts a token of a database user: the maximum."""

CA_FILE = Path(__file__).parents[1] / "store" / "rds-ca.pem"

_MAKING = threading.Lock()
"""Held to make a client: any thread may be the first to need one."""


@cache
def session() -> Any:
    """Return the one boto3 session: a second would cost as much again."""
    import boto3

    return boto3.session.Session()


@cache
def provider_client(service: str, settings: Settings) -> Any:
    """Return the client of SES or SNS."""
    return _make_client(
        service,
        connect_timeout=settings.send_connect_seconds,
        read_timeout=settings.send_read_seconds,
        max_pool_connections=settings.dispatch_concurrency,
    )


@cache
def lambda_client() -> Any:
    """Return the client that begins runs: a lost call costs only the wait."""
    return _make_client("lambda", connect_timeout=INVOKE_SECONDS, read_timeout=INVOKE_SECONDS)


@cache
def waiting_lambda_client() -> Any:
    """Return the client that invokes submit and waits for its answer."""
    return _make_client("lambda", connect_timeout=INVOKE_SECONDS, read_timeout=EXPAND_SECONDS)


def invoke_dispatch(function: str) -> Invoke:
    """Return what begins a run of dispatch, without waiting for its result."""
    return lambda source: _invoke(function, {"source": source})


def invoke_submit(function: str) -> Callable[[int], None]:
    """Return the call that begins a run of submit which expands due submissions."""
    return lambda runs: _invoke(function, {"expand": {"runs": runs}})


def _invoke(function: str, event: Mapping[str, object]) -> None:
    """Invoke a function without waiting for its result; raise NotInvoked."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        lambda_client().invoke(
            FunctionName=function,
            InvocationType="Event",
            Payload=json.dumps(event),
        )
    except ClientError as error:
        raise NotInvoked(str(error.response.get("Error", {}).get("Code"))) from None
    except BotoCoreError as error:
        raise NotInvoked(type(error).__name__) from None


def expand_by_submit(function: str) -> Expand:
    """Return the call in which submit expands pending submissions; it waits for the answer."""
    from botocore.exceptions import BotoCoreError, ClientError

    def expand(asked: Mapping[str, str]) -> bool:
        if not function:
            raise Unavailable("SUBMIT_FUNCTION is not set, so no submission can be expanded.")
        payload = json.dumps({"expand": asked})
        try:
            answer = waiting_lambda_client().invoke(FunctionName=function, Payload=payload)
            document = json.loads(answer["Payload"].read())
        except (BotoCoreError, ClientError, ValueError):
            raise Unavailable(NOT_EXPANDED) from None
        if "FunctionError" in answer:
            raise Unavailable(NOT_EXPANDED)
        return bool(document["remaining"])

    return expand


def _make_client(service: str, **config: Any) -> Any:
    """Make a client that sends each request once: boto3 would repeat a stalled SendEmail.

    The user agent is given, since boto3 would build its own twice for each request. boto3 does not
    validate parameters: that costs a tenth of a SendEmail (ADR 37), and providers validate them.
    """
    import boto3
    from botocore.config import Config

    agent = f"Dovecote Boto3/{boto3.__version__}"
    config |= {
        "retries": {"total_max_attempts": 1},
        "user_agent": agent,
        "parameter_validation": False,
    }
    owner = session()
    with _MAKING:
        return owner.client(service, config=Config(**config))


@cache
def database() -> Database:
    """Return the database; it opens a connection when it first needs one."""
    return Database(connect, most=MAX_CONNECTIONS)


def connect() -> Connection:
    """Open an autocommit connection, by URL or with an IAM token."""
    settings = load()
    target = {"conninfo": settings.database_url} if settings.database_url else _by_iam(settings)
    return Connection.connect(
        **target,
        autocommit=True,
        # RDS Proxy and other poolers pin a connection that prepares.
        prepare_threshold=None,
        connect_timeout=CONNECT_SECONDS,
        application_name="dovecote",
    )


def _by_iam(settings: Settings) -> dict[str, Any]:
    """Return the parameters of an IAM connection."""
    return {
        "host": settings.db_host,
        "port": settings.db_port,
        "dbname": settings.db_name,
        "user": settings.db_user,
        "password": iam_token(settings),
        "sslmode": "verify-full",
        "sslrootcert": str(CA_FILE),
    }


def iam_token(settings: Settings) -> str:
    """Sign a token as boto3's generate_db_auth_token does, without RDS's client and its model.

    Raises BadSettings without a region.
    """
    from botocore.model import ServiceId
    from botocore.signers import RequestSigner

    owner = session()
    region, credentials = owner.region_name, owner.get_credentials()
    if not region:
        raise BadSettings("AWS_DEFAULT_REGION: is not set; an IAM token needs a region")
    signer = RequestSigner(ServiceId("RDS"), region, "rds-db", "v4", credentials, owner.events)
    request = {
        "method": "GET",
        "url": f"https://{settings.db_host}:{settings.db_port}/",
        "headers": {},
        "body": {"Action": "connect", "DBUser": settings.db_user},
        "context": {},
    }
    url = signer.generate_presigned_url(request, "connect", TOKEN_SECONDS)
    return str(url).removeprefix("https://")
