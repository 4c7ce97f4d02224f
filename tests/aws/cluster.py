"""What stands for a database of RDS's: PostgreSQL, and before it TLS and IAM."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from local.postgres import Server, free_port
from local.sam.docker import Bridge
from local.sam.house import HOST, NAME
from tests.aws import iam
from tests.aws.certificates import Authority
from tests.aws.emulator import Emulator

HAS_ROLE = """
select from pg_auth_members
 where roleid = 'rds_iam'::regrole
   and member = (select oid from pg_roles where rolname = %s)
"""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """An empty database by its URL for this machine, and as the template's parameters name it."""

    url: str
    host: str
    port: int
    name: str
    user: str
    resource_id: str


ACCESS = ("host all postgres 127.0.0.1/32 scram-sha-256", "host all all 127.0.0.1/32 trust")
"""Behind the guard, who checks tokens of IAM: none of these roles is a superuser."""


@contextmanager
def running(
    directory: Path, bridge: Bridge | None, authority: Authority, aws: Emulator
) -> Iterator[Cluster]:
    """Run PostgreSQL with the database and the user that Dovecote is given."""
    directory.mkdir()
    certified = directory / "host.crt", directory / "host.key"
    authority.sign(HOST, *certified)
    here = "127.0.0.1" if bridge is None else str(bridge.gateway), free_port()
    with Server(directory / "postgres", access=ACCESS, durable=False) as server:
        _prepare(server)
        cluster = Cluster(
            url=server.url(NAME),
            host=HOST,
            port=here[1],
            name=NAME,
            user=NAME,
            resource_id="cluster-EMULATED",
        )

        def refusal(user: str, token: str) -> str:
            return _without_role(cluster.url, user) or aws.refusal(
                token, cluster.host, cluster.port, user, cluster.resource_id
            )

        with iam.guarding(("127.0.0.1", server.port), here, certified, refusal):
            yield cluster


def _without_role(url: str, user: str) -> str:
    with psycopg.connect(url) as connection:
        has_role = connection.execute(HAS_ROLE, [user]).rowcount == 1
    return "" if has_role else "the user lacks the role rds_iam"


def _prepare(server: Server) -> None:
    """Make what a user of RDS makes before: a database, and its owner with the role rds_iam."""
    user = sql.Identifier(NAME)
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("create role rds_iam")
        admin.execute(sql.SQL("create role {} login createrole").format(user))
        admin.execute(sql.SQL("grant rds_iam to {} with admin option").format(user))
        admin.execute(sql.SQL("create database {} owner {}").format(user, user))
