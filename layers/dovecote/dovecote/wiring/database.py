"""The database of a function, by URL or with an IAM token."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dovecote.core.parsing.settings import BadSettings
from dovecote.store.database import Connection, Database
from dovecote.wiring import clients
from dovecote.wiring.settings import load

if TYPE_CHECKING:
    from dovecote.store.dispatch.dispatch_store import PostgresDispatchStore
    from dovecote.store.submit.submissions import PostgresSubmissions
    from dovecote.wiring.settings import Settings

CONNECT_SECONDS = 3
"""How long a connection may take: an unreachable database is a 503 within 5 s."""

MAX_CONNECTIONS = 6
"""For each of two channels a dispatcher claims one batch while it writes the results of two others.

Each connection is opened when it is first needed. With fewer, a result would wait for a claim.
"""

TOKEN_SECONDS = 900
"""How long IAM accepts a token of a database user: the maximum."""

CA_FILE = Path(__file__).parents[1] / "store" / "rds-ca.pem"


@cache
def database() -> Database:
    """Return the database; it opens a connection when it first needs one."""
    return Database(connect, most=MAX_CONNECTIONS)


@cache
def dispatch_store() -> PostgresDispatchStore:
    """Return the store that claims routes and records their outcomes."""
    from dovecote.store.dispatch.dispatch_store import PostgresDispatchStore

    return PostgresDispatchStore(database(), default_max_attempts=load().max_attempts)


@cache
def submissions() -> PostgresSubmissions:
    """Return the store of submitted notifications."""
    from dovecote.store.submit.submissions import PostgresSubmissions

    return PostgresSubmissions(database(), default_max_attempts=load().max_attempts)


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

    session = clients.session()
    region, credentials = session.region_name, session.get_credentials()
    if not region:
        raise BadSettings("AWS_DEFAULT_REGION: is not set; an IAM token needs a region")
    signer = RequestSigner(ServiceId("RDS"), region, "rds-db", "v4", credentials, session.events)
    request = {
        "method": "GET",
        "url": f"https://{settings.db_host}:{settings.db_port}/",
        "headers": {},
        "body": {"Action": "connect", "DBUser": settings.db_user},
        "context": {},
    }
    url = signer.generate_presigned_url(request, "connect", TOKEN_SECONDS)
    return str(url).removeprefix("https://")
