"""Fixtures: one PostgreSQL server a run, one migrated template, one clone of it a test."""

import os
import tempfile
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from dovecote.channels import NAMES
from dovecote.store.database import Connection, Database
from dovecote.store.people.devices import PostgresDevices
from dovecote.store.schema.migrate import migrate
from local.postgres import Server
from local.provider import Running, running
from tests.canary import heard, kept, overheard
from tests.catalogs import shipped
from tests.functions import Functions, environment, run_functions
from tests.sending import create_topic
from tests.store import HASHES, Store

DEFAULT_MAX_ATTEMPTS = 5
TEMPORARY = pytest.StashKey[tempfile.TemporaryDirectory[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Give each run a root of its own for temporary directories.

    A run that begins takes the others' rights from the root that pytest shares, and with them
    the path to its data from a PostgreSQL of another run that is not run as root.
    """
    root = tempfile.TemporaryDirectory(prefix="dovecote-tests-", ignore_cleanup_errors=True)
    config.stash[TEMPORARY] = root
    os.environ["PYTEST_DEBUG_TEMPROOT"] = root.name
    config.addinivalue_line("markers", "channels(*names): needs all of these channels")
    config.addinivalue_line("markers", "timed: has a time limit; make test runs it alone")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect tests of a channel that the registry does not have.

    A test of one channel belongs in channels/<name>; the mark `channels("email", "push")` is for a
    test that needs several.
    """
    marks = {item: item.iter_markers("channels") for item in items}
    needed = {item: {name for mark in found for name in mark.args} for item, found in marks.items()}
    missing = [item for item in items if not needed[item] <= set(NAMES)]
    items[:] = [item for item in items if item not in missing]
    config.hook.pytest_deselected(items=missing)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what the run left behind."""
    config.stash[TEMPORARY].cleanup()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test during which a log line, or anything else that was written, repeated it."""
    report = yield
    written = [line for _, text in report.sections for line in text.splitlines() if heard(line)]
    if report.passed and written:
        report.outcome = "failed"
        report.longrepr = "\n".join(["what is confidential was written:", *written])
    return report


@pytest.fixture(scope="session", autouse=True)
def unheard(pytestconfig: pytest.Config) -> Iterator[None]:
    """Hold the logs of all stacks of the run to it, at the end."""
    yield
    assert list(overheard(Path(pytestconfig.stash[TEMPORARY].name))) == []


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that may be littered with databases: TEST_DATABASE_URL's, or one of our own."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
        return
    with Server(tmp_path_factory.mktemp("postgres"), durable=False) as server:
        yield server.url()


@pytest.fixture(scope="session")
def template(server_url: str) -> Iterator[str]:
    """The name of a migrated database to clone."""
    name = f"dovecote_template_{uuid.uuid4().hex[:8]}"
    create_database(server_url, name)
    migrate(named(server_url, name))
    yield name
    drop_database(server_url, name)


@pytest.fixture
def empty_database_url(server_url: str) -> Iterator[str]:
    """A database of this test's own with nothing in it."""
    name = f"dovecote_empty_{uuid.uuid4().hex[:8]}"
    create_database(server_url, name)
    yield named(server_url, name)
    drop_database(server_url, name)


@pytest.fixture
def database_url(server_url: str, template: str) -> Iterator[str]:
    """A migrated database of this test's own."""
    name = f"dovecote_test_{uuid.uuid4().hex[:8]}"
    create_database(server_url, name, template)
    url = named(server_url, name)
    migrate(url)  # a clone lacks the template's role settings
    yield url
    with psycopg.connect(url, autocommit=True) as opened:
        told = [text for text in kept(opened) if heard(text)]
    drop_database(server_url, name)
    assert told == [], "an error, reason or detail repeats what is confidential"


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """An autocommit connection of the test's own, beside those of the code under test."""
    with psycopg.connect(database_url, autocommit=True) as opened:
        yield opened


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """This test's database, as the code under test asks it."""
    opened = Database(
        lambda: Connection.connect(database_url, autocommit=True, prepare_threshold=None)
    )
    yield opened
    opened.close()


@pytest.fixture
def store(database: Database) -> Store:
    """The store on this test's database."""
    return Store(database, default_max_attempts=DEFAULT_MAX_ATTEMPTS)


@pytest.fixture
def devices(database: Database) -> PostgresDevices:
    """The devices in this test's database."""
    return PostgresDevices(database, HASHES)


@pytest.fixture
def provider() -> Iterator[Running]:
    """A provider of this test's own, answering over HTTP, with the topic of tests."""
    with running() as one:
        create_topic(one.provider)
        yield one


@pytest.fixture
def functions(database_url: str, provider: Running, catalog_folder: Path) -> Iterator[Functions]:
    """The functions on this test's database and provider, with backoffs of no time."""
    values = environment(database_url, provider.url, catalog_folder, BACKOFF_BASE_SECONDS="0")
    with run_functions(values) as wired:
        yield wired


@pytest.fixture(scope="session")
def catalog_folder() -> Path:
    """The catalog that users edit."""
    return shipped()


def named(url: str, database: str) -> str:
    """Return a server's URL with another database in it."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def create_database(server_url: str, name: str, template: str = "template1") -> None:
    """Copy a database by its files, which takes half the time of a copy through the log."""
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(
            sql.SQL("create database {} template {} strategy file_copy").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )


def drop_database(server_url: str, name: str) -> None:
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
